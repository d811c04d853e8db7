// The DAG of bound expressions: folding, ranges, text; and that emitted arith ops compute what evaluate() computes.
#include "lib/analysis/BoundEmit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <doctest/doctest.h>
#include <map>
#include <random>

using namespace sattn;
namespace arith = mlir::arith;

namespace {
/// Runs the arith ops of a block.
class Interpreter {
public:
  std::map<void *, int64_t> values;
  int64_t get(mlir::Value v) { return values.at(v.getAsOpaquePointer()); }
  void run(mlir::Block &block) {
    for (mlir::Operation &op : block) {
      auto x = [&](unsigned i) { return get(op.getOperand(i)); };
      int64_t result = llvm::TypeSwitch<mlir::Operation *, int64_t>(&op)
                           .Case([&](arith::ConstantIndexOp c) { return c.value(); })
                           .Case([&](arith::AddIOp) { return x(0) + x(1); })
                           .Case([&](arith::SubIOp) { return x(0) - x(1); })
                           .Case([&](arith::MulIOp) { return x(0) * x(1); })
                           .Case([&](arith::ShRSIOp) { return x(0) >> x(1); })
                           .Case([&](arith::AndIOp) { return x(0) & x(1); })
                           .Case([&](arith::FloorDivSIOp) { return llvm::divideFloorSigned(x(0), x(1)); })
                           .Case([&](arith::MinSIOp) { return std::min(x(0), x(1)); })
                           .Case([&](arith::MaxSIOp) { return std::max(x(0), x(1)); })
                           .Case([&](arith::CmpIOp) { return x(0) >= x(1); })
                           .Case([&](arith::SelectOp) { return x(0) ? x(1) : x(2); });
      values[op.getResult(0).getAsOpaquePointer()] = result;
    }
  }
};

BoundExpr randomExpr(BoundPool &pool, std::mt19937 &engine, int depth) {
  auto upTo = [&](int n) { return int64_t(engine() % unsigned(n)); };
  if (depth == 0) {
    static const char *names[] = {"a", "b", "c"};
    return upTo(4) == 0 ? pool.constant(upTo(20) - 10) : pool.symbol(names[upTo(3)], -1000, 1000);
  }
  auto kid = [&] { return randomExpr(pool, engine, depth - 1); };
  BoundExpr x = kid();
  switch (upTo(8)) {
  case 0:
    return pool.scale(x, upTo(9) - 4);
  case 1:
    return pool.floorDiv(x, 1 + upTo(9));
  case 2:
    return pool.ceilDiv(x, 1 + upTo(9));
  case 3:
    return pool.mod(x, 1 + upTo(9));
  case 4:
    return pool.min(x, kid());
  case 5:
    return pool.max(x, kid());
  case 6: {
    BoundExpr a = kid();
    return pool.select(x, a, kid());
  }
  default:
    return pool.sub(x, kid());
  }
}
} // namespace

TEST_CASE("expressions fold") {
  BoundPool pool;
  BoundExpr a = pool.symbol("a", -100, 100), n = pool.symbol("n", 0, 100);
  CHECK(pool.sub(pool.add(a, 5), a).isConstant(5));
  CHECK(pool.add(pool.scale(a, 3), n).str() == "3*a + n");
  CHECK(pool.floorDiv(pool.add(pool.scale(a, 8), 13), 8).str() == "a + 1");
  CHECK(pool.floorDiv(pool.add(pool.scale(a, 8), n), 8).str() == "a + floordiv(n, 8)");
  CHECK(pool.ceilDiv(a, 4).str() == "floordiv(a + 3, 4)");
  CHECK(pool.mod(pool.add(pool.scale(a, 8), 13), 8).isConstant(5));
  CHECK(pool.min(pool.add(a, 1), a) == a);
  CHECK(pool.max(n, pool.constant(-3)) == n);
  CHECK(pool.max(n, pool.constant(7)).str() == "max(n, 7)");
  CHECK(pool.min(pool.min(a, n), a) == pool.min(n, a));
  CHECK(pool.select(n, a, n) == a);
  CHECK(pool.select(pool.sub(pool.constant(-1), n), a, n) == n);
  CHECK(pool.negate(n).neverHolds());
  CHECK(BoundExpr().str() == "unknown");
}

TEST_CASE("what could overflow is unknown") {
  BoundPool pool;
  BoundExpr a = pool.symbol("a", -(int64_t(1) << 40), int64_t(1) << 40);
  CHECK(pool.scale(a, int64_t(1) << 20));
  CHECK_FALSE(pool.scale(a, int64_t(1) << 23));
  CHECK_FALSE(pool.constant(INT64_MAX));
  CHECK_FALSE(
      pool.add(pool.scale(a, int64_t(1) << 21), pool.scale(pool.symbol("b", 0, int64_t(1) << 42), int64_t(1) << 20)));
  CHECK_FALSE(pool.add(BoundExpr(), a));
  CHECK_FALSE(pool.min(BoundExpr(), a));
  CHECK_FALSE(pool.select(a, a, BoundExpr()));
}

TEST_CASE("ranges hold and emitted ops agree with evaluation") {
  mlir::MLIRContext context;
  context.loadDialect<arith::ArithDialect>();
  mlir::OpBuilder builder(&context);
  auto loc = builder.getUnknownLoc();
  std::mt19937 engine(5);
  for (int i = 0; i < 2000; ++i) {
    BoundPool pool;
    BoundExpr expr = randomExpr(pool, engine, 4);
    REQUIRE(expr);
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
    mlir::Block block;
    std::map<std::string, mlir::Value> arguments;
    for (const char *name : {"a", "b", "c"})
      arguments[name] = block.addArgument(builder.getIndexType(), loc);
    builder.setInsertionPointToEnd(&block);
    BoundEmitter emitter(builder, loc, [&](StringRef name) { return arguments.at(name.str()); });
    mlir::Value value = emitter.emit(expr), condition = emitter.emitCondition(expr);
    CHECK(emitter.emit(expr) == value);
    for (int k = 0; k < 5; ++k) {
      std::map<std::string, int64_t> env;
      Interpreter interpreter;
      for (auto &[name, argument] : arguments)
        interpreter.values[argument.getAsOpaquePointer()] = env[name] = int64_t(engine() % 2001) - 1000;
      interpreter.run(block);
      int64_t expected = pool.evaluate(expr, [&](StringRef name) { return env.at(name.str()); });
      REQUIRE(interpreter.get(value) == expected);
      REQUIRE(interpreter.get(condition) == (expected >= 0));
      CHECK(expr.node()->lo <= expected);
      CHECK(expected <= expr.node()->hi);
    }
  }
}
