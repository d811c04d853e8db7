// The lowering of Control.h: each op splits its block, its regions become the blocks between.
#include "codegen/common/Control.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace sattn;
using namespace mlir;

namespace {
/// One op on its way: what follows it stands in `after`.
class Lowered {
public:
  explicit Lowered(Operation *op)
      : b(op->getContext()), loc(op->getLoc()), op(op), before(op->getBlock()), after(before->splitBlock(op)) {}

  /// The blocks of `region` between before and after; the first.
  Block *inlined(Region &region) {
    Block *entry = &region.front();
    before->getParent()->getBlocks().splice(after->getIterator(), region.getBlocks());
    return entry;
  }
  void jump(Block *from, Block *to, ValueRange operands) {
    b.setInsertionPointToEnd(from);
    LLVM::BrOp::create(b, loc, operands, to);
  }
  void branch(Block *from, Value condition, Block *yes, ValueRange yesOperands, Block *no, ValueRange noOperands) {
    b.setInsertionPointToEnd(from);
    LLVM::CondBrOp::create(b, loc, condition, yes, yesOperands, no, noOperands);
  }
  /// Puts a jump in the place of a yield.
  void replaceYield(Operation *yield, Block *to) {
    Block *from = yield->getBlock();
    SmallVector<Value> operands(yield->getOperands());
    yield->erase();
    jump(from, to, operands);
  }
  /// Results of the op arrive as arguments of `after`.
  void resultsAsArguments() {
    for (Value result : op->getResults())
      result.replaceAllUsesWith(after->addArgument(result.getType(), loc));
  }

  OpBuilder b;
  Location loc;
  Operation *op;
  Block *before, *after;
};
} // namespace

static void lower(scf::IfOp op) {
  Lowered lowered(op);
  lowered.resultsAsArguments();
  auto branchOf = [&](Region &region) {
    if (region.empty())
      return lowered.after;
    lowered.replaceYield(region.back().getTerminator(), lowered.after);
    return lowered.inlined(region);
  };
  Block *yes = branchOf(op.getThenRegion()), *no = branchOf(op.getElseRegion());
  lowered.branch(lowered.before, op.getCondition(), yes, {}, no, {});
  op.erase();
}

static void lower(scf::ForOp op) {
  Lowered lowered(op);
  OpBuilder &b = lowered.b;
  SmallVector<Value> inits{op.getLowerBound()};
  llvm::append_range(inits, op.getInitArgs());
  Block *head =
      b.createBlock(lowered.after, TypeRange(ValueRange(inits)), SmallVector<Location>(inits.size(), lowered.loc));
  lowered.jump(lowered.before, head, inits);

  Operation *yield = op.getRegion().back().getTerminator();
  b.setInsertionPoint(yield);
  SmallVector<Value> next{arith::AddIOp::create(b, lowered.loc, head->getArgument(0), op.getStep())};
  llvm::append_range(next, yield->getOperands());
  Block *last = yield->getBlock(), *body = lowered.inlined(op.getRegion());
  yield->erase();
  lowered.jump(last, head, next);
  for (auto [inner, outer] : llvm::zip(body->getArguments(), head->getArguments()))
    inner.replaceAllUsesWith(outer);
  body->eraseArguments(0, body->getNumArguments());

  b.setInsertionPointToEnd(head);
  Value goesOn =
      arith::CmpIOp::create(b, lowered.loc, arith::CmpIPredicate::slt, head->getArgument(0), op.getUpperBound());
  lowered.branch(head, goesOn, body, {}, lowered.after, {});
  for (auto [result, carried] : llvm::zip(op.getResults(), head->getArguments().drop_front()))
    result.replaceAllUsesWith(carried);
  op.erase();
}

static void lower(scf::WhileOp op) {
  Lowered lowered(op);
  lowered.resultsAsArguments();
  auto condition = cast<scf::ConditionOp>(op.getBefore().back().getTerminator());
  Block *decides = condition->getBlock(), *head = lowered.inlined(op.getBefore());
  lowered.jump(lowered.before, head, op.getInits());
  lowered.replaceYield(op.getAfter().back().getTerminator(), head);
  Block *body = lowered.inlined(op.getAfter());
  SmallVector<Value> given(condition.getArgs());
  Value goesOn = condition.getCondition();
  condition.erase();
  lowered.branch(decides, goesOn, body, given, lowered.after, given);
  op.erase();
}

void sattn::codegen::lowerControl(ModuleOp module) {
  // Inner ops come first, so that a region ends with the block of its terminator.
  SmallVector<Operation *> ops;
  module.walk<WalkOrder::PostOrder>([&](Operation *op) {
    if (isa<scf::IfOp, scf::ForOp, scf::WhileOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    if (auto branch = dyn_cast<scf::IfOp>(op))
      lower(branch);
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      lower(loop);
    else
      lower(cast<scf::WhileOp>(op));
  }
}
