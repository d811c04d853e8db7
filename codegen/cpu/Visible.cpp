// What a mask leaves visible of a partial tile, found before its scores: the dots on both sides of a softmax then leave
// out the columns that a group of panels does not see at all, above a diagonal or before a window.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

// Most columns, one bit each, and most that their bounds are rounded to: enough steps for a loop.
static constexpr int64_t kMostColumns = 64, kMostMultiple = 4;
// Rows of tiles that are worth it: with more panels the code grows, and what a group of them hides shrinks.
static constexpr int64_t kMostRows = 64;

// A mask of a partial tile that only a softmax and, through its weights, one product over the keys see. The product
// counts its steps within one block of its right operand.
bool Lowering::skipsHidden(tile::SoftmaxStepOp op) {
  auto mask = op.getS().getDefiningOp<tile::MaskOp>();
  if (!mask || acts(mask) != true || consumerOf(mask) != op || !op.getP().hasOneUse() ||
      op.getS().getType().getRows() > kMostRows)
    return false;
  const Pending *pending = tile(op.getS()).pending.get();
  auto dot = dyn_cast<tile::DotOp>(*op.getP().user_begin());
  if (!pending || llvm::count_if(pending->steps, [](auto step) { return isa<tile::MaskOp>(step.op); }) != 1 || !dot ||
      dot.getKind() != "nn" || dot.getA() != op.getP() || dot->getBlock() != op->getBlock())
    return false;
  const std::optional<RightOperand> &right = tile(dot.getB()).values;
  int64_t columns = op.getS().getType().getCols();
  return right && columns <= right->row.block && columns <= kMostColumns;
}

// Two panels at a time, where the atom has such a kernel: one alone would hide less, but must load as often as it
// multiplies.
FailureOr<std::shared_ptr<const Visible>> Lowering::visibleScores(tile::SoftmaxStepOp op, int64_t panels) {
  auto mask = op.getS().getDefiningOp<tile::MaskOp>();
  auto weighted = cast<tile::DotOp>(*op.getP().user_begin());
  const TileValue &scores = tile(op.getS());
  auto visible = std::make_shared<Visible>();
  visible->mask = mask;
  visible->group = panels % 2 == 0 && c.atom.columnsFor(2) != 0 ? 2 : 1;
  int64_t columns = op.getS().getType().getCols(), step = stripColumns(scores, columns, visible->group);
  while (visible->multiple < kMostMultiple && std::gcd(step, columns) % (2 * visible->multiple) == 0)
    visible->multiple *= 2;
  visible->panelBytes = Visible::kWords + llvm::alignTo(columns, kLanes) * Visible::kWordBytes;
  visible->owner = scratch.take(panels * visible->panelBytes);
  visible->panels = {scratchBase, visible->owner->offset};

  // Few products share what they read, so memory is asked for it while the masks are made.
  if (scores.pending->dot)
    prefetch(scores.pending->b, columns * scores.pending->a.cols);
  prefetch(*tile(weighted.getB()).values, columns * weighted.getResult().getType().getCols());
  if (failed(storeMasks(mask, *visible, panels)))
    return failure();

  // One bit a column, then the first and the last that is set.
  for (int64_t panel = 0; panel < panels; panel += visible->group) {
    Ptr first = visible->panels.plus(panel * visible->panelBytes);
    Value seen = c.int64(0);
    for (int64_t at = 0; at < columns; at += kLanes)
      for (int64_t p = 0; p < visible->group; ++p) {
        Ptr words = first.plus(p * visible->panelBytes + Visible::kWords + at * Visible::kWordBytes);
        seen = c.ori(seen, c.shl64(c.nonEmptyLanes(words, std::min(kLanes, columns - at)), at));
      }
    int64_t multiple = visible->multiple;
    Value from = c.countTrailingZeros(seen), to = c.sub(c.int64(64), c.countLeadingZeros(seen));
    c.store(c.mul(c.floorDiv(from, multiple), multiple), first, Visible::kBoundBytes);
    c.store(c.mul(c.floorDiv(c.add(to, multiple - 1), multiple), multiple), first.plus(Visible::kBoundBytes),
            Visible::kBoundBytes);
  }
  return std::shared_ptr<const Visible>(visible);
}

std::pair<Value, Value> Lowering::visibleColumns(const Visible &visible, Value panel) {
  Ptr bounds = c.atScaled(visible.panels, panel, visible.panelBytes);
  return {c.load(c.i64, bounds, Visible::kBoundBytes),
          c.load(c.i64, bounds.plus(Visible::kBoundBytes), Visible::kBoundBytes)};
}

// The first `floats` of an operand that was prepared in memory; what this task packed is near anyway.
void Lowering::prefetch(const RightOperand &operand, int64_t floats) {
  constexpr int64_t line = 64, linesAtOnce = 4;
  if (!operand.owner)
    c.loop(0, floats * 4, linesAtOnce * line, [&](Value at) {
      for (int64_t i = 0; i < linesAtOnce; ++i)
        c.prefetch(c.at(operand.base, at).plus(i * line));
    });
}
