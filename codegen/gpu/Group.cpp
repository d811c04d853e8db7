// Products of warpgroups (wgmma): four warps multiply 64 rows, whose left operand stands in registers in the layout of
// fragments, by a right operand that the tensor cores read from shared memory. Everything else works on fragments as it
// does for the products of single warps (Dot.cpp), which take what does not fit here.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

/// Columns of a product at most.
static constexpr int64_t kMostColumns = 256;

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

void Lowering::multiplyByGroups(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form,
                                Fragment &sums, bool fresh) {
  Code::GroupProduct product;
  product.type = form.type;
  product.b = c.descriptor(b.base, b.panelBytes());
  product.transposed = !transposed;
  for (int64_t k = 0; k < a.steps; ++k) {
    // Inner elements are columns: 32 bytes further in a panel of 64. Or they are rows: 16 rows further.
    int64_t perPanel = kPanelColumns / 16;
    int64_t bytes = transposed ? k / perPanel * b.panelBytes() + k % perPanel * 32 : k * 16 * kSwizzleBytes;
    product.at.push_back(bytes / 16);
  }
  int64_t registers = sums.cols / 2;
  for (int64_t block = 0; block < a.blocks; ++block) {
    product.a = ArrayRef<Value>(a.at).slice(4 * block * a.steps, 4 * a.steps);
    auto first = sums.at.begin() + block * registers;
    Values next =
        c.multiplyGroup(product, fresh ? ValueRange() : ValueRange(ArrayRef<Value>(first, registers)), registers);
    std::copy(next.begin(), next.end(), first);
  }
}
