// Products of warpgroups (wgmma): four warps multiply 64 rows, whose left operand stands in registers in the layout of
// fragments, by a right operand that the tensor cores read from shared memory. Everything else works on fragments as it
// does for the products of single warps (Dot.cpp), which take what does not fit here.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

/// Columns of a product at most.
static constexpr int64_t kMostColumns = 256;

/// Features of a left operand that had better not take registers in a kernel that walks lists.
static constexpr int64_t kLongRow = 128;

static bool isShort(Type element) { return element.isF16() || element.isBF16(); }

std::string Lowering::groupObstacle(tile::DotOp op) const {
  auto load = op.getB().getDefiningOp<tile::LoadOp>();
  auto left = op.getA().getDefiningOp<tile::LoadOp>();
  if (!load || load.getView().getType().getLayout())
    return "its right operand is not a tile of consecutive rows";
  Type element = load.getView().getType().getElementType();
  if (!isShort(element))
    return "its right operand is not of 16-bit numbers";
  if (left && left.getView().getType().getElementType() != element)
    return "its operands are of different types";
  if (layout.warps % kGroupWarps != 0)
    return "its tasks have fewer than " + std::to_string(kGroupRows) + " rows";
  tile::TileType type = load.getTile().getType();
  if (type.getCols() % kPanelColumns != 0)
    return "its features are not a multiple of " + std::to_string(kPanelColumns);
  int64_t columns = op.getResult().getType().getCols(), inner = op.getA().getType().getCols();
  if (columns % 16 != 0 || columns > kMostColumns || inner % 16 != 0 || type.getRows() % 8 != 0)
    return "its extents are not those of the instruction";
  return "";
}

void Lowering::remarkOnWarps(tile::DotOp op) {
  std::string why = groupObstacle(op);
  // Without one it shares its right operand with a product that has its own remark.
  if (!why.empty() && remarked.insert(why).second)
    op.emitRemark("a product of kernel '" + kernel.getSymName() + "' is computed by mma.sync, not by wgmma: ") << why;
}

bool Lowering::feedsGroups(Value operand) const {
  if (!arch.groups)
    return false;
  bool all = false;
  for (OpOperand &use : operand.getUses())
    if (auto dot = dyn_cast<tile::DotOp>(use.getOwner()); dot && use.getOperandNumber() == 1) {
      if (!groupObstacle(dot).empty())
        return false;
      all = true;
    }
  return all;
}

bool Lowering::staysShared(Operation *op, Value result) {
  auto type = cast<tile::TileType>(result.getType());
  bool inStream = op->getParentOfType<tile::StreamOp>() || op->getParentOfType<tile::StreamInverseOp>();
  bool whole = type.getRows() == layout.blocks(type.getRows()) * kMmaRows * layout.warps;
  if (inStream || !whole)
    return false;
  bool byGroups = true, byWarps = true, inLists = false;
  for (OpOperand &use : result.getUses())
    if (auto dot = dyn_cast<tile::DotOp>(use.getOwner()); dot && use.getOperandNumber() == 0) {
      bool streams = dot->getParentOfType<tile::StreamOp>() != nullptr, groups = feedsGroups(dot.getB());
      byGroups &= streams && groups;
      byWarps &= streams && !groups;
      inLists |= dot->getParentOfType<tile::StreamInverseOp>() != nullptr;
    }
  if (arch.groups && byGroups && type.getCols() % kPanelColumns == 0)
    return true;
  // Beside the walk of lists the registers of long rows are too many, unless that leaves memory for fewer blocks.
  return byWarps && inLists && type.getCols() >= kLongRow && hasRoomFor(type.getRows() * (2 * type.getCols() + 16));
}

// Whether the blocks that a multiprocessor has memory for, of which it has registers for two, are not fewer with
// `bytes` more; else than the tiles of the longest stream, twice, are taken already.
bool Lowering::hasRoomFor(int64_t bytes) {
  int64_t tiles = 0;
  kernel.getBody().walk([&](tile::StreamOp stream) {
    int64_t all = 0;
    for (tile::LoadOp load : loadsAhead(stream.getBody().front())) {
      tile::TileType type = load.getTile().getType();
      all += type.getRows() *
             (type.getCols() * load.getView().getType().getElementType().getIntOrFloatBitWidth() / 8 + 16);
    }
    tiles = std::max(tiles, all);
  });
  auto blocks = [&](int64_t more) {
    return std::min<int64_t>(arch.sharedBytes / (memory.mark() + 2 * tiles + more), 2);
  };
  bool alone = memory.mark() + tiles + bytes <= arch.sharedBytes; // one tile at a time
  return blocks(bytes) == blocks(0) && alone;
}

FailureOr<LeftOperand> Lowering::stageLeft(Operation *op, Value result, const RowSource &source) {
  auto type = cast<tile::TileType>(result.getType());
  SharedRows rows;
  rows.element = source.view.type.getElementType();
  rows.rows = type.getRows();
  rows.cols = type.getCols();
  rows.swizzled = llvm::any_of(result.getUses(), [&](OpOperand &use) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    return dot && use.getOperandNumber() == 0 && feedsGroups(dot.getB());
  });
  rows.rowBytes = rows.swizzled ? kSwizzleBytes : shortRowBytes(rows.cols * 2);
  takeMemory(rows);
  copyNow(source, rows);
  LeftOperand left;
  left.blocks = layout.blocks(rows.rows);
  left.steps = rows.cols / 16;
  left.shared = rows;
  return left;
}

// Inner elements that are columns: 32 bytes further in a panel of 64 for each step.
static int64_t columnsAt(const SharedRows &rows, int64_t step) {
  int64_t perPanel = kPanelColumns / 16;
  return step / perPanel * rows.panelBytes() + step % perPanel * 32;
}

void Lowering::multiplyByGroups(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form,
                                Fragment &sums, bool fresh) {
  Code::GroupProduct product;
  product.type = form.type;
  product.b = c.descriptor(b.base, b.panelBytes());
  product.transposed = !transposed;
  for (int64_t k = 0; k < a.steps; ++k) {
    // Or they are rows: 16 rows further.
    product.at.push_back((transposed ? columnsAt(b, k) : k * 16 * kSwizzleBytes) / 16);
    if (a.shared)
      product.aAt.push_back(columnsAt(*a.shared, k) / 16);
  }
  int64_t registers = sums.cols / 2;
  for (int64_t block = 0; block < a.blocks; ++block) {
    Value own;
    if (a.shared) {
      Value group =
          c.addi(arith::ShRUIOp::create(c.b, c.warp, c.int32(2)), c.int32(block * layout.warps / kGroupWarps));
      own = c.descriptor(c.at(a.shared->base, c.muli(group, c.int32(kGroupRows * kSwizzleBytes))),
                         a.shared->panelBytes());
      product.a = own;
    } else {
      product.a = ArrayRef<Value>(a.at).slice(4 * block * a.steps, 4 * a.steps);
    }
    auto first = sums.at.begin() + block * registers;
    Values next =
        c.multiplyGroup(product, fresh ? ValueRange() : ValueRange(ArrayRef<Value>(first, registers)), registers);
    std::copy(next.begin(), next.end(), first);
  }
}
