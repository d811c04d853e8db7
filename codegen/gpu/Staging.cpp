// Right operands of dots on their way to shared memory: all threads of a block copy 16 bytes at a time in the
// background.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

static constexpr int64_t kPiece = 16; ///< bytes of a copy

// Distance of the rows of a tile, so that what the lanes of a warp read at once lies in different banks. Eight rows by
// 16 bytes (16-bit operands) or by 4 bytes (float32, inner elements are rows) begin at an odd number of pieces; the
// pairs of float32 that the lanes of four rows read of columns, eight words apart.
static int64_t paddedRow(Value operand, Type element, int64_t bytes) {
  bool pairs = element.isF32() && llvm::all_of(operand.getUses(), [](OpOperand &use) {
                 auto dot = dyn_cast<tile::DotOp>(use.getOwner());
                 return dot && use.getOperandNumber() == 1 && dot.getKind() == "nt";
               });
  if (!pairs)
    return shortRowBytes(bytes);
  return bytes + (128 + 32 - bytes % 128) % 128;
}

FailureOr<SharedRows> Lowering::newSharedRows(Operation *op, Value operand, tile::ViewType view) {
  auto type = cast<tile::TileType>(operand.getType());
  Type element = view.getElementType();
  if (!isa<FloatType>(element) || element.getIntOrFloatBitWidth() > 32)
    return unsupported(op, "right operands of an element type other than f32, f16 and bf16");
  if (view.getLayout() || type.isVector())
    return unsupported(op, "right operands in this form");
  SharedRows rows;
  rows.element = element;
  rows.rows = type.getRows();
  rows.cols = type.getCols();
  int64_t bytes = rows.cols * element.getIntOrFloatBitWidth() / 8;
  if (bytes % kPiece != 0)
    return unsupported(op, "rows of " + Twine(bytes) + " bytes", "use a feature size of whole 16 bytes");
  rows.swizzled = feedsGroups(operand);
  rows.rowBytes = rows.swizzled ? kSwizzleBytes : paddedRow(operand, element, bytes);
  return rows;
}

void Lowering::takeMemory(SharedRows &rows, int64_t copies) {
  int64_t alignment = rows.swizzled ? kSwizzleAlignment : kPiece;
  rows.base = c.at(sharedBase, memory.take(copies * rows.bytes(), alignment));
}

Value Lowering::unitOf(const SharedRows &rows, Value row, Value unit) {
  Value start = c.muli(row, c.int32(rows.rowBytes));
  if (!rows.swizzled)
    return c.at(rows.base, c.addi(start, c.muli(unit, c.int32(kPiece))));
  int64_t units = kSwizzleBytes / kPiece;
  Value panel = arith::DivUIOp::create(c.b, unit, c.int32(units));
  Value place = c.xori(c.andi(unit, c.int32(units - 1)), c.andi(row, c.int32(7)));
  return c.at(rows.base,
              c.addi(c.addi(start, c.muli(panel, c.int32(rows.panelBytes()))), c.muli(place, c.int32(kPiece))));
}

void Lowering::awaitCopies() {
  c.awaitCopies();
  if (arch.groups)
    c.fenceAsync(); // warpgroups read what was copied past the generic proxy
}

void Lowering::startCopy(const RowSource &source, const SharedRows &rows) {
  if (source.view.pages && !source.ids && staysInPage(source.view.pages->size, source.divisor, source.rows) &&
      !source.view.pages->from)
    return startCopy(inItsPage(source), rows);
  needAlignment(source.view, kPiece);
  int64_t pieces = rows.cols * source.view.elementBytes() / kPiece;
  // Swizzled rows repeat their pattern every eight.
  bool sameColumn = threads() % pieces == 0 && (!rows.swizzled || threads() / pieces % 8 == 0);
  if (!source.ids && !source.view.pages && source.view.type.getGroup() == 1 && sameColumn)
    return copyRounds(source, rows, pieces);
  int64_t all = rows.rows * pieces;
  for (int64_t first = 0; first < all; first += threads()) {
    Value piece = c.addi(c.thread, c.int32(first));
    Value row = arith::DivUIOp::create(c.b, piece, c.int32(pieces));
    Value unit = c.subi(piece, c.muli(row, c.int32(pieces)));
    auto copy = [&] {
      auto [pointer, inside] = rowPointer(source, row);
      c.copyAsync(unitOf(rows, row, unit), c.at(pointer, c.muli(unit, c.int32(kPiece))), inside);
    };
    if (first + threads() <= all)
      copy();
    else
      c.when(c.compareI(arith::CmpIPredicate::ult, piece, c.int32(all)), copy);
  }
}

// A thread keeps to its column and takes every n-th row: one pointer that moves on, and comparisons on i32.
void Lowering::copyRounds(const RowSource &source, const SharedRows &rows, int64_t pieces) {
  const View &view = source.view;
  int64_t rowsAtOnce = threads() / pieces;
  Value row = arith::DivUIOp::create(c.b, c.thread, c.int32(pieces));
  Value unit = c.subi(c.thread, c.muli(row, c.int32(pieces)));
  Value to = unitOf(rows, row, unit), column = c.muli(unit, c.int32(kPiece));
  Value at = c.add(source.position, arith::ExtUIOp::create(c.b, c.i64, row).getResult());
  Value from = c.at(c.at(view.base, c.mul(at, view.positionBytes)), column);
  Value advance = c.mul(view.positionBytes, rowsAtOnce);
  // Of the rows row + n those with before <= n < end exist.
  Value before = c.clampTo32(c.sub(c.int64(0), at), 0, rows.rows);
  Value count = c.subi(c.clampTo32(c.sub(view.limit, at), 0, rows.rows), before);
  for (int64_t n = 0; n < rows.rows; n += rowsAtOnce) {
    auto copy = [&] {
      Value inside = c.compareI(arith::CmpIPredicate::ult, c.subi(c.int32(n), before), count);
      c.copyAsync(c.at(to, n * rows.rowBytes), from, inside);
    };
    if (n + rowsAtOnce <= rows.rows)
      copy();
    else
      c.when(c.compareI(arith::CmpIPredicate::ult, c.addi(row, c.int32(n)), c.int32(rows.rows)), copy);
    if (n + rowsAtOnce < rows.rows)
      from = c.at(from, advance);
  }
}

LogicalResult Lowering::stageNow(Operation *op, Value result, const RowSource &source) {
  FailureOr<SharedRows> rows = newSharedRows(op, result, source.view.type);
  if (failed(rows))
    return failure();
  takeMemory(*rows);
  copyNow(source, *rows);
  tile(result).right = *rows;
  return success();
}

void Lowering::copyNow(const RowSource &source, const SharedRows &rows) {
  c.barrier(); // the memory may have been another value's
  startCopy(source, rows);
  c.commitCopies();
  awaitCopies();
  c.barrier();
}
