// What the verifier checks on whole kernels and programs: the ops a kernel may hold (the boundary to the code
// generators), linear use of carried tiles, that no kernel reads what it writes, and that the plan launches kernels
// with fitting operands and reads a workspace only after it was written.
#include "dialects/tile/Tile.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sattn;
using namespace sattn::tile;

//===-- Kernels: the boundary ---------------------------------------------------------------------------===//

// Everything a code generator must know beside the ops of this dialect.
static bool mayStandInKernel(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  if (dialect == "arith" || op->getParentOfType<MapOp>())
    return true;
  if (dialect != SattnTileDialect::getDialectNamespace())
    return llvm::is_contained({"affine.apply", "affine.min", "affine.max", "scf.if", "scf.for", "scf.yield"},
                              op->getName().getStringRef());
  return !isa<ProgramOp, KernelOp, PlanOp, DimOp, ParamOp, RoleOp, ResultOp, OffsetsOp, PagesOp, WorkspaceOp, LaunchOp,
              LoopOp>(op);
}

static LogicalResult verifyBoundary(KernelOp kernel) {
  auto walk = kernel.getBody().walk<WalkOrder::PreOrder>([](Operation *op) {
    if (mayStandInKernel(op))
      return WalkResult::advance();
    op->emitOpError("cannot stand in a kernel: kernels hold sattn_tile, arith, affine.apply, affine.min, affine.max, "
                    "scf.if and scf.for");
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

//===-- Kernels: linear use -----------------------------------------------------------------------------===//

// A constant tile is made anew where it is used, so any number of ops may start from it.
static bool isConstantTile(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isa<SplatOp, TopInitOp>(op);
}

static bool isCarriedType(Type type) { return isa<TileType, TopType>(type); }

// The operands of `op` that live on, updated in place, in a result of `op`.
static SmallVector<OpOperand *> consumedOperands(Operation *op) {
  SmallVector<OpOperand *> consumed;
  auto add = [&](OpOperand &operand) {
    if (isCarriedType(operand.get().getType()) && !isConstantTile(operand.get()))
      consumed.push_back(&operand);
  };
  if (auto dot = dyn_cast<DotOp>(op)) {
    if (dot.getAcc())
      add(dot.getAccMutable()[0]);
  } else if (auto push = dyn_cast<TopPushOp>(op)) {
    add(push.getTopMutable());
  } else if (auto mass = dyn_cast<TopMassOp>(op)) {
    add(mass.getTopMutable());
  } else if (auto stream = dyn_cast<StreamOp>(op)) {
    for (OpOperand &init : stream.getInitsMutable())
      add(init);
  } else if (auto loop = dyn_cast<LoopLikeOpInterface>(op)) {
    for (OpOperand &init : loop.getInitsMutable())
      add(init);
  }
  return consumed;
}

// Every other use of a consumed tile comes before the op that consumes it, and that op runs as often as the tile is
// made: not inside a loop that the tile enters from outside.
static LogicalResult verifyConsumed(OpOperand &consumed) {
  Operation *consumer = consumed.getOwner();
  Block *home = consumed.get().getParentBlock();
  for (Operation *op = consumer; op->getBlock() != home; op = op->getParentOp())
    if (isa<StreamOp, StreamInverseOp, LoopLikeOpInterface>(op->getParentOp()))
      return consumer->emitOpError("updates a tile from outside the loop: carry it");
  for (OpOperand &use : consumed.get().getUses()) {
    if (&use == &consumed)
      continue;
    Operation *before = consumer->getBlock()->findAncestorOpInBlock(*use.getOwner());
    bool isLater = !before || before == consumer || consumer->isBeforeInBlock(before);
    if (!isLater)
      continue;
    InFlightDiagnostic error = consumer->emitOpError("updates a tile that is read later or updated twice");
    error.attachNote(use.getOwner()->getLoc()) << "the other use is here";
    return error;
  }
  return success();
}

// A yielded tile takes the place of the carried one, so it is made in the loop and yielded once, in its own place.
static LogicalResult verifyYielded(Operation *loop, Block *body, Block::BlockArgListType carried, ValueRange yielded) {
  llvm::SmallPtrSet<void *, 8> seen;
  for (auto [index, value] : llvm::enumerate(yielded)) {
    if (!isCarriedType(value.getType()) || isConstantTile(value))
      continue;
    if (value.getParentBlock() != body)
      return loop->emitOpError("yields a tile from outside its body as carried value ") << index;
    auto arg = dyn_cast<BlockArgument>(value);
    if (!seen.insert(value.getAsOpaquePointer()).second || (arg && arg != carried[index]))
      return loop->emitOpError("yields a tile in the place of another as carried value ") << index;
  }
  return success();
}

static LogicalResult verifyLinear(KernelOp kernel) {
  auto walk = kernel.getBody().walk([](Operation *op) -> WalkResult {
    for (OpOperand *operand : consumedOperands(op))
      if (failed(verifyConsumed(*operand)))
        return failure();
    if (auto stream = dyn_cast<StreamOp>(op)) {
      Block *body = &stream.getBody().front();
      return verifyYielded(op, body, stream.getCarried(), body->getTerminator()->getOperands());
    }
    if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
      return verifyYielded(op,
                           loop.getLoopRegions().front()->empty() ? nullptr : &loop.getLoopRegions().front()->front(),
                           loop.getRegionIterArgs(), loop.getYieldedValues());
    return success();
  });
  return failure(walk.wasInterrupted());
}

//===-- Kernels: memory ---------------------------------------------------------------------------------===//

// Which operands a kernel reads and writes, by position.
struct KernelAccess {
  SmallVector<bool> reads, writes;
};

static KernelAccess accessOf(KernelOp kernel) {
  unsigned count = kernel.getNumOperandArgs();
  KernelAccess access{SmallVector<bool>(count, false), SmallVector<bool>(count, false)};
  auto mark = [&](Value view, SmallVector<bool> &marks) {
    auto slice = view.getDefiningOp<SliceOp>();
    for (Value operand : {slice ? Value(slice.getArg()) : Value(), slice ? Value(slice.getPages()) : Value()}) {
      auto arg = dyn_cast_or_null<BlockArgument>(operand);
      if (arg && arg.getOwner() == &kernel.getBody().front() && arg.getArgNumber() < count)
        marks[arg.getArgNumber()] = true;
    }
  };
  kernel.getBody().walk([&](Operation *op) {
    bool isWrite = isa<StoreOp, ScatterOp, FillOp>(op);
    Value written; // of an op that reads other views
    if (auto top = dyn_cast<TopRowOp>(op))
      written = top.getIds();
    else if (auto members = dyn_cast<MembersOp>(op))
      written = members.getWords();
    if (isWrite || written || isa<LoadOp, GatherOp, GatherAtOp, EntryOp, LoadBlocksOp, InvertOp, LengthOp>(op))
      for (Value operand : op->getOperands())
        if (isa<ViewType>(operand.getType()))
          mark(operand, isWrite || operand == written ? access.writes : access.reads);
  });
  return access;
}

static LogicalResult verifyAccess(KernelOp kernel) {
  KernelAccess access = accessOf(kernel);
  for (unsigned i = 0; i < access.reads.size(); ++i)
    if (access.reads[i] && access.writes[i])
      return kernel.emitOpError("reads and writes operand '")
             << cast<StringAttr>(kernel.getArgNames()[i]).getValue()
             << "': data passes between tasks only through the next launch";
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getNumArguments() != getArgNames().size() + 3)
    return emitOpError("expected ") << getArgNames().size() << " operands and three grid coordinates, but got "
                                    << body.getNumArguments() << " arguments";
  for (BlockArgument arg : body.getArguments().take_back(3))
    if (!arg.getType().isIndex())
      return emitOpError("expected grid coordinates of type index");
  for (BlockArgument arg : body.getArguments().drop_back(3))
    if (!isa<ArgType, PerBatchType, IndexType>(arg.getType()) && !arg.getType().isF32())
      return emitOpError("expected operands of type arg, per_batch, index or f32, but got ") << arg.getType();
  if (failed(verifyBoundary(*this)) || failed(verifyLinear(*this)))
    return failure();
  return verifyAccess(*this);
}

//===-- The plan ----------------------------------------------------------------------------------------===//

LogicalResult OffsetsOp::verify() {
  if (!llvm::is_contained({"q_offset", "kv_offset", "kv_len"}, getName()))
    return emitOpError("expected 'q_offset', 'kv_offset' or 'kv_len', but got '") << getName() << "'";
  return success();
}

LogicalResult LaunchOp::verify() {
  ArrayAttr order = getOrderAttr();
  if (!order)
    return success();
  std::string axes;
  for (Attribute axis : order) {
    StringRef axisName = cast<StringAttr>(axis).getValue();
    axisName.consume_front("-");
    axes += axisName.str();
  }
  if (!llvm::is_contained({"xyz", "xzy", "yxz", "yzx", "zxy", "zyx"}, axes))
    return emitOpError("expected an order that lists x, y and z once each, '-' before those that run from the end");
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("launches unknown kernel '") << getKernel() << "'";
  if (kernel.getBody().empty() || kernel.getBody().getNumArguments() < 3)
    return success(); // the kernel's own verifier reports it
  TypeRange expected = ValueRange(kernel.getBody().getArguments().drop_back(3)).getTypes();
  if (getArgs().size() != expected.size())
    return emitOpError("gives ") << getArgs().size() << " operands to kernel '" << getKernel() << "', which has "
                                 << expected.size();
  for (auto [index, type] : llvm::enumerate(expected))
    if (getArgs()[index].getType() != type)
      return emitOpError("operand ") << index << " of kernel '" << getKernel() << "' has type " << type << ", but got "
                                     << getArgs()[index].getType();
  return success();
}

LogicalResult FunctionOp::verify() {
  auto isNumber = [](Type type) { return type.isF32() || type.isInteger(32); };
  if (getType().getNumResults() != 1 || !getType().getResult(0).isF32() ||
      !llvm::all_of(getType().getInputs(), isNumber))
    return emitOpError("expected a function of f32 and i32 to one f32, but got ") << getType();
  return success();
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = symbols.lookupNearestSymbolFrom<FunctionOp>(*this, getCalleeAttr());
  if (!function)
    return emitOpError("calls unknown function '") << getCallee() << "'";
  if (getArgs().getTypes() != function.getType().getInputs())
    return emitOpError("arguments do not fit function '") << getCallee() << "' of type " << function.getType();
  return success();
}

LogicalResult PlanOp::verifyRegions() {
  llvm::StringSet<> names;
  auto walk = getBody().walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() != "arith" &&
        !isa<DimOp, ParamOp, RoleOp, ResultOp, OffsetsOp, PagesOp, WorkspaceOp, LaunchOp, LoopOp>(op)) {
      op->emitOpError("cannot stand in a plan: a plan holds names of the call, workspaces, arith, launches and loops");
      return WalkResult::interrupt();
    }
    auto workspace = dyn_cast<WorkspaceOp>(op);
    if (workspace && !names.insert(workspace.getName()).second) {
      op->emitOpError("workspace '") << workspace.getName() << "' is declared twice";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

// Walks the launches in order: a workspace is written by an earlier launch than the first that reads it.
static LogicalResult verifyWorkspaces(ProgramOp program, PlanOp plan) {
  llvm::SmallPtrSet<Operation *, 8> written;
  SymbolTable symbols(program);
  auto walk = plan.getBody().walk<WalkOrder::PreOrder>([&](LaunchOp launch) {
    auto kernel = symbols.lookup<KernelOp>(launch.getKernel());
    if (!kernel || kernel.getNumOperandArgs() != launch.getArgs().size())
      return WalkResult::skip(); // reported at the launch
    KernelAccess access = accessOf(kernel);
    for (auto [index, arg] : llvm::enumerate(launch.getArgs())) {
      auto workspace = arg.getDefiningOp<WorkspaceOp>();
      if (workspace && access.reads[index] && !written.contains(workspace)) {
        launch.emitOpError("reads workspace '") << workspace.getName() << "' before any launch writes it";
        return WalkResult::interrupt();
      }
    }
    for (auto [index, arg] : llvm::enumerate(launch.getArgs()))
      if (auto workspace = arg.getDefiningOp<WorkspaceOp>(); workspace && access.writes[index])
        written.insert(workspace);
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

PlanOp ProgramOp::getPlan() {
  for (Operation &op : getBody().front())
    if (auto plan = dyn_cast<PlanOp>(op))
      return plan;
  return {};
}

LogicalResult ProgramOp::verifyRegions() {
  int64_t plans = 0;
  for (Operation &op : getBody().front()) {
    if (isa<PlanOp>(op))
      ++plans;
    else if (!isa<KernelOp, FunctionOp>(op))
      return op.emitOpError("cannot stand in a program: a program holds kernels, functions and one plan");
  }
  if (plans != 1)
    return emitOpError("expected exactly one plan, but got ") << plans;
  return verifyWorkspaces(*this, getPlan());
}
