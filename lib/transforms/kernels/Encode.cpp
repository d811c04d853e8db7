// Kernels that turn rows into codes.
#include "lib/transforms/kernels/Encode.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Kept.h"
#include "lib/transforms/kernels/Plan.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <limits>

namespace sattn::lower {
using namespace mlir;

namespace {
constexpr int64_t kEncodedRows = 64;

/// What is encoded: a role, or its Hadamard transform.
struct Source {
  Value role;
  EncodeOp transform;
};

/// Builds the kernel of one sattn.encode.
class Encoder {
public:
  Encoder(Context &context, Operation *user, EncodeOp op) : context(context), user(user), op(op) {}

  FailureOr<Codes> build() {
    levels = integerLevels(op.getHow());
    if (!levels && op.getHow() != CodeKind::Buckets)
      return context.refuse(op, "'sattn.encode " + stringifyCodeKind(op.getHow()) + "' in a score");
    if (failed(findSource()))
      return failure();
    const Facts &facts = context.factsOf(op.getResult());
    features = context.innerSize(facts.axes);
    int64_t term = levels ? *levels * *levels : static_cast<int64_t>(op.getLevelsAttr().size());
    if (!levels && term > std::numeric_limits<uint8_t>::max())
      return context.refuse(op, "'sattn.encode buckets' at " + Twine(term) + " levels, more than 255,");
    if (features * term >= kExact)
      return context.refuse(op, "'sattn.encode " + stringifyCodeKind(op.getHow()) + "' of " + Twine(features) +
                                    " features, which can sum to 2^24,");
    codes.axis = facts.position();
    codes.head = facts.headAxis();
    codes.features = features;
    if (context.bound.keepsSummaries() && isKept(op)) {
      if (failed(keep()))
        return failure();
    } else {
      declare();
    }
    emit();
    return codes;
  }

private:
  /// Sums of integers below it are exact in float32.
  static constexpr int64_t kExact = 1 << 24;

  LogicalResult findSource() {
    source.role = op.getX();
    if (auto inner = op.getX().getDefiningOp<EncodeOp>(); inner && !levels && inner.getHow() == CodeKind::Hadamard) {
      source.transform = inner;
      source.role = inner.getX();
    }
    if (Operation *made = source.role.getDefiningOp())
      return context.refuse(made, "'" + made->getName().getStringRef() + "' as an operand of 'sattn.encode'");
    if (context.bound.role(source.role).getIsInt())
      return context.refuse(user, "an int role as an operand of a score");
    int64_t size = context.innerSize(context.factsOf(source.role).axes);
    if (source.transform && !llvm::isPowerOf2_64(size))
      return source.transform.emitError()
             << "[SA0207] 'sattn.encode hadamard' of " << size << " features: a Hadamard transform needs a power of 2";
    return success();
  }

  LogicalResult keep() {
    SmallVector<KeptTensor, 2> tensors = keptTensors(context, op);
    for (auto other : context.pattern.getBody().front().getOps<EncodeOp>())
      if (other != op && isKept(other) && keptTensors(context, other)[0].ref == tensors[0].ref)
        return context.refuse(op, "'keep=summaries' of two codes of one role by 'sattn.encode " +
                                      stringifyCodeKind(op.getHow()) + "'");
    codes.isWorkspace = false;
    codes.ref = tensors[0].ref;
    if (levels)
      codes.scales = tensors[1].ref;
    return success();
  }

  void declare() {
    MLIRContext *mlir = context.pattern.getContext();
    std::string role = context.bound.role(source.role).getName().str();
    Workspace workspace;
    workspace.axis = codes.axis;
    workspace.head = codes.head;
    auto add = [&](const char *name, Type element, int64_t inner) {
      workspace.name = role + name;
      workspace.type = tile::ArgType::get(mlir, element, inner, tile::PanelsAttr());
      return context.workspace(workspace);
    };
    codes.ref = add("_codes", elementOf(op), codes.features);
    if (levels)
      codes.scales = add("_scales", context.f32(), 1);
  }

  void emit() {
    auto kernel = context.program.kernel((codes.isWorkspace ? "encode_" : "extend_") + codes.ref.name);
    KernelBuilder &k = *kernel;
    k.loc = op.getLoc();
    int64_t group = context.ratio(codes.head).value_or(1);
    Task task(context, k, group);
    Value first = k.mul(k.gridX(), kEncodedRows), limit = codes.axis.isRow() ? Value() : task.keyCount();
    Value view = task.slice(context.role(source.role), task.batch, task.head(codes.head), 1, false, limit);
    auto encodeFrom = [&](Value first) {
      Value rows = tile::LoadOp::create(k.b, k.loc, k.tile(kEncodedRows, features), view, first);
      if (levels)
        storeIntegers(task, rows, first);
      else
        storeCounts(task, rows, first);
    };
    if (codes.isWorkspace) {
      encodeFrom(first);
    } else { // of new keys alone, which most tasks have none of
      first = k.add(firstNewBlock(task, keptTensors(context, op)[0].blocks()), first);
      Value any = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, first, limit);
      auto taken = scf::IfOp::create(k.b, k.loc, any, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPoint(taken.thenBlock()->getTerminator());
      encodeFrom(first);
    }
    Launch launch;
    launch.x = [axis = codes.axis](PlanWriter &plan) { return plan.index.ceilDiv(plan.axisSize(axis), kEncodedRows); };
    launch.y = context.ratio(codes.head) ? context.tasksInUnit(group)
                                         : PlanSize([](PlanWriter &plan) { return plan.index.constant(1); });
    launch.makes = {op.getResult()};
    context.finish(std::move(kernel), std::move(launch));
  }

  //===-- Buckets.

  // The levels below each element of the role, or of its transform made orthonormal.
  void storeCounts(Task &task, Value rows, Value first) {
    KernelBuilder &k = task.k;
    if (source.transform)
      rows = tile::HadamardOp::create(k.b, k.loc, rows.getType(), rows);
    SmallVector<Value> inputs{rows};
    for (auto level : op.getLevelsAttr().getAsRange<ExprAttr>())
      inputs.push_back(emitNumber(task, level));
    Value counts = k.map(inputs, cast<tile::TileType>(rows.getType()), [&](OpBuilder &b, auto args) -> Value {
      Value x = args[0], count = constant(b, k.loc, 0.0);
      if (source.transform)
        x = arith::MulFOp::create(b, k.loc, x, constant(b, k.loc, 1.0 / std::sqrt(static_cast<double>(features))));
      for (Value level : args.drop_front()) {
        Value isAbove = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OGT, x, level);
        Value more = arith::AddFOp::create(b, k.loc, count, constant(b, k.loc, 1.0));
        count = arith::SelectOp::create(b, k.loc, isAbove, more, count);
      }
      return count;
    });
    tile::StoreOp::create(k.b, k.loc, counts, viewOf(task, codes.ref), first);
  }

  //===-- Integers.

  void storeIntegers(Task &task, Value rows, Value first) {
    KernelBuilder &k = task.k;
    double most = static_cast<double>(*levels);
    Value sizes = k.map({rows}, cast<tile::TileType>(rows.getType()),
                        [&](OpBuilder &b, auto args) -> Value { return math::AbsFOp::create(b, k.loc, args[0]); });
    auto numbers = k.rowVector(kEncodedRows);
    Value largest = tile::ReduceOp::create(k.b, k.loc, numbers, "max", sizes, "cols", IntegerAttr(), false);
    Value scales = k.map({largest}, numbers, [&](OpBuilder &b, auto args) -> Value {
      Value scale = arith::DivFOp::create(b, k.loc, args[0], constant(b, k.loc, most));
      Value small = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OLT, scale,
                                          constant(b, k.loc, std::numeric_limits<float>::min()));
      // A row with an infinity is NaN, which its scale says where integers cannot.
      Value isNumber = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OLT, scale,
                                             constant(b, k.loc, std::numeric_limits<float>::infinity()));
      scale = arith::SelectOp::create(b, k.loc, isNumber, scale,
                                      constant(b, k.loc, std::numeric_limits<float>::quiet_NaN()));
      return arith::SelectOp::create(b, k.loc, small, constant(b, k.loc, 0.0), scale);
    });
    Value integers = k.map({rows, scales}, cast<tile::TileType>(rows.getType()), [&](OpBuilder &b, auto args) -> Value {
      Value zero = constant(b, k.loc, 0.0);
      Value code = math::RoundEvenOp::create(b, k.loc, arith::DivFOp::create(b, k.loc, args[0], args[1]));
      code = arith::MinimumFOp::create(b, k.loc, code, constant(b, k.loc, most));
      code = arith::MaximumFOp::create(b, k.loc, code, constant(b, k.loc, -most));
      Value none = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[1], zero);
      return arith::SelectOp::create(b, k.loc, none, zero, code);
    });
    tile::StoreOp::create(k.b, k.loc, integers, viewOf(task, codes.ref), first);
    tile::StoreOp::create(k.b, k.loc, scales, viewOf(task, *codes.scales), first);
  }

  Value viewOf(Task &task, const PlanRef &ref) {
    return task.slice(ref, batchOf(task), headOf(task), 1, false, keptLimit(task));
  }

  Value batchOf(Task &task) { return codes.isWorkspace ? task.pair : task.batch; }
  Value headOf(Task &task) { return codes.isWorkspace ? task.headInUnit(codes.head) : task.head(codes.head); }
  Value keptLimit(Task &task) { return codes.isWorkspace ? Value() : task.keyCount(); }

  static Value constant(OpBuilder &b, Location loc, double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
  }

  Context &context;
  Operation *user;
  EncodeOp op;
  std::optional<int64_t> levels; ///< of a code of integers: the largest
  Source source;
  int64_t features = 0;
  Codes codes;
};
} // namespace

Type elementOf(EncodeOp code) {
  bool isSigned = integerLevels(code.getHow()).has_value();
  return IntegerType::get(code.getContext(), 8, isSigned ? IntegerType::Signless : IntegerType::Unsigned);
}

FailureOr<Codes> encode(Context &context, Operation *user, Value tensor) {
  return Encoder(context, user, tensor.getDefiningOp<EncodeOp>()).build();
}

} // namespace sattn::lower
