// Ops that wait until they are used; see Order.h.
#include "codegen/gpu/Order.h"
#include "dialects/tile/Tile.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

static bool isStream(Operation *op) { return isa<tile::StreamOp, tile::StreamInverseOp>(op); }

// Ops that need most registers themselves.
static bool isLarge(Operation *op) { return isStream(op) || isa<tile::DotOp>(op); }

static bool writes(Operation *op) {
  auto effects = mlir::getEffectsRecursively(op);
  return !effects || llvm::any_of(*effects, [](const MemoryEffects::EffectInstance &effect) {
    return !isa<MemoryEffects::Read>(effect.getEffect());
  });
}

// Whether an op gives tiles that follow from memory and lists alone; `waiting` holds those before it.
static bool mayWait(Operation *op, const llvm::SmallPtrSetImpl<Operation *> &waiting) {
  auto isTile = [](Type type) { return isa<tile::TileType>(type); };
  return op->getNumResults() > 0 && llvm::all_of(op->getResultTypes(), isTile) && !isStream(op) && !writes(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           auto type = dyn_cast<tile::TileType>(operand.getType());
           return !type || type.getElementType().isInteger() || waiting.contains(operand.getDefiningOp());
         });
}

// Whether nothing is written between the load at `at` and its user.
static bool isReadByMap(ArrayRef<Operation *> order, size_t at) {
  Operation *load = order[at];
  if (!isa<tile::LoadOp, tile::GatherOp>(load) || !load->hasOneUse())
    return false;
  Operation *user = *load->user_begin();
  const auto *end = llvm::find(order.drop_front(at), user);
  return isa<tile::MapOp>(user) && end != order.end() &&
         llvm::none_of(llvm::make_range(order.begin() + at, end), [](Operation *op) { return writes(op); });
}

EmissionOrder sattn::gpu::emissionOrder(Block &block) {
  EmissionOrder result;
  SmallVector<Operation *> &order = result.ops;
  llvm::SmallPtrSet<Operation *, 16> waiting;
  for (Operation &op : block.without_terminator()) {
    order.push_back(&op);
    if (mayWait(&op, waiting))
      waiting.insert(&op);
  }
  // From the end, so that users stand where they will.
  for (size_t i = order.size(); i-- > 0;) {
    Operation *op = order[i];
    if (!waiting.contains(op))
      continue;
    size_t to = i + 1;
    bool passes = false;
    for (; to < order.size() && !writes(order[to]); ++to) {
      if (llvm::any_of(op->getUsers(), [&](Operation *user) { return order[to]->isAncestor(user); }))
        break;
      passes |= isLarge(order[to]);
    }
    if (passes)
      std::rotate(order.begin() + i, order.begin() + i + 1, order.begin() + to);
  }
  for (size_t i = 0; i < order.size(); ++i)
    if (isReadByMap(order, i))
      result.readByMap.insert(order[i]);
  return result;
}
