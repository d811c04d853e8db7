// Arithmetic of a launch plan, op by op.
#include "lib/pipeline/PlanExpressions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace sattn;
using namespace sattn::tile;
namespace arith = mlir::arith;

// Nodes of one expression that depends on a loop variable and so cannot be named.
static constexpr int64_t maxNodes = 4096;

static std::optional<int64_t> folded(StringRef op, int64_t a, int64_t b) {
  if (op == "+")
    return llvm::checkedAdd(a, b);
  if (op == "-")
    return llvm::checkedSub(a, b);
  if (op == "*")
    return llvm::checkedMul(a, b);
  if (op == "min")
    return std::min(a, b);
  if (op == "max")
    return std::max(a, b);
  return std::nullopt;
}

Json sattn::expression(StringRef op, Json a, Json b) {
  std::optional<int64_t> left = a.getAsInteger(), right = b.getAsInteger();
  if (left && right)
    if (std::optional<int64_t> value = folded(op, *left, *right))
      return *value;
  int64_t neutral = op == "*" || op == "ceildiv" || op == "floordiv" ? 1 : 0;
  bool hasRightNeutral = llvm::is_contained({"+", "-", "*", "ceildiv", "floordiv"}, op);
  if (hasRightNeutral && right == neutral)
    return a;
  if ((op == "+" || op == "*") && left == neutral)
    return b;
  return llvm::json::Array{op, std::move(a), std::move(b)};
}

StringRef sattn::planOperator(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](arith::AddIOp) { return "+"; })
      .Case([](arith::SubIOp) { return "-"; })
      .Case([](arith::MulIOp) { return "*"; })
      .Case([](arith::CeilDivSIOp) { return "ceildiv"; })
      .Case([](arith::FloorDivSIOp) { return "floordiv"; })
      .Case([](arith::RemSIOp) { return "mod"; }) // of numbers that are not negative
      .Case([](arith::MinSIOp) { return "min"; })
      .Case([](arith::MaxSIOp) { return "max"; })
      .Case([](arith::AndIOp) { return "and"; })
      .Case([](arith::OrIOp) { return "or"; })
      .Case([](arith::CmpIOp compare) -> StringRef {
        switch (compare.getPredicate()) {
        case arith::CmpIPredicate::eq:
          return "==";
        case arith::CmpIPredicate::ne:
          return "!=";
        case arith::CmpIPredicate::slt:
          return "<";
        case arith::CmpIPredicate::sle:
          return "<=";
        case arith::CmpIPredicate::sgt:
          return ">";
        case arith::CmpIPredicate::sge:
          return ">=";
        default:
          return "";
        }
      })
      .Default([](Operation *) { return ""; });
}

void PlanExpressions::name(Value value) {
  bool isShared = !value.use_empty() && !value.hasOneUse();
  if (!isShared || inLoop.contains(value) || !values.find(value)->second.getAsArray())
    return;
  std::string text = "e" + std::to_string(derivedValues.size());
  Json &slot = values.find(value)->second;
  derivedValues.push_back({text, std::move(slot)});
  slot = Json(text);
  sizes[value] = 1;
}

LogicalResult PlanExpressions::visitArith(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto number = dyn_cast<mlir::IntegerAttr>(constant.getValue())) {
      // true is 1, not the -1 of a signed bit
      int64_t value =
          number.getType().isInteger(1) ? number.getValue().getZExtValue() : number.getValue().getSExtValue();
      values.try_emplace(constant.getResult(), value);
      sizes[constant.getResult()] = 1;
      return success();
    }
    if (isa<mlir::FloatAttr>(constant.getValue()))
      return success(); // an argument of a launch, written there
  }
  StringRef name = planOperator(op);
  if (name.empty())
    return op->emitOpError("has no form in a launch plan: plans compute with addi, subi, muli, ceildivsi, floordivsi, "
                           "remsi, minsi, maxsi, andi, ori and signed cmpi on index");
  Value left = op->getOperand(0), right = op->getOperand(1), result = op->getResult(0);
  sizes[result] = sizes[left] + sizes[right] + 1;
  if (sizes[result] > maxNodes)
    return op->emitOpError("depends on a loop and is written out more than 4096 times: compute it outside the loop");
  values.try_emplace(result, expression(name, of(left), of(right)));
  if (inLoop.contains(left) || inLoop.contains(right))
    inLoop.insert(result);
  this->name(result);
  return success();
}

std::string PlanExpressions::variable(LoopOp loop) const {
  return values.find(loop.getInductionVar())->second.getAsString()->str();
}

void PlanExpressions::enter(LoopOp loop) {
  Value variable = loop.getInductionVar();
  values.try_emplace(variable, "i" + std::to_string(loops++));
  sizes[variable] = 1;
  inLoop.insert(variable);
}

LogicalResult PlanExpressions::visit(Operation *op) {
  if (op->getName().getDialectNamespace() == "arith")
    return visitArith(op);
  if (auto dim = dyn_cast<DimOp>(op)) {
    values.try_emplace(dim.getValue(), dim.getName());
    sizes[dim.getValue()] = 1;
  } else if (auto param = dyn_cast<ParamOp>(op); param && param.getValue().getType().isIndex()) {
    values.try_emplace(param.getValue(), ("$" + param.getName()).str());
    sizes[param.getValue()] = 1;
  } else if (auto loop = dyn_cast<LoopOp>(op)) {
    enter(loop);
  }
  return success();
}

LogicalResult PlanExpressions::build(PlanOp plan) {
  auto walk = plan.getBody().walk<mlir::WalkOrder::PreOrder>(
      [&](Operation *op) { return failed(visit(op)) ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance(); });
  return failure(walk.wasInterrupted());
}
