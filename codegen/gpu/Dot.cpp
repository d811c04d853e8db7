// Matrix products. 16-bit operands are multiplied as they are stored; a computed left operand (the weights of a
// softmax) is rounded to the type of the right one. What is float32 on one side goes to Tf32.cpp.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

/// Columns of a result at most: a thread holds half as many numbers of one block of rows, and has 255 registers.
static constexpr int64_t kMostResultColumns = 256;

// The element type in which an operand stands in memory; null for one that was computed.
static Type storedType(Value value) {
  auto load = value.getDefiningOp<tile::LoadOp>();
  return load ? load.getView().getType().getElementType() : Type();
}

FailureOr<DotForm> Lowering::formOf(tile::DotOp op) {
  Type a = storedType(op.getA()), b = storedType(op.getB());
  if (!b)
    return unsupported(op, "a right operand that is not loaded");
  DotForm form;
  if (!b.isF32() && (!a || a == b))
    form.type = b.isF16() ? MmaType::F16 : MmaType::BF16;
  return form;
}

// The layout of a fragment's columns is that of a left operand: two blocks of eight columns make the four registers of
// a step of 16, one block those of a step of 8 if its columns are taken in the order 0 2 4 6 1 3 5 7.
LeftOperand Lowering::toLeft(const Fragment &fragment, DotForm form, Type element) {
  LeftOperand left;
  left.blocks = fragment.blocks();
  left.steps = fragment.cols / form.step();
  Fragment from = fragment;
  for (int64_t block = 0; block < left.blocks; ++block)
    for (int64_t k = 0; k < left.steps; ++k) {
      if (form.tf32()) {
        for (int64_t e : {0, 2, 1, 3})
          left.at.push_back(from.element(block, k, e));
        continue;
      }
      for (int64_t j : {2 * k, 2 * k + 1})
        for (int64_t e : {0, 2})
          left.at.push_back(c.pack(from.element(block, j, e), from.element(block, j, e + 1), element));
    }
  return left;
}

FailureOr<LeftOperand> Lowering::leftOf(tile::DotOp op, DotForm form) {
  TileValue &held = tile(op.getA());
  if (auto &left = form.tf32() ? held.leftTf32 : held.left)
    return *left;
  FailureOr<Fragment> fragment = fragmentOf(op, op.getA());
  if (failed(fragment))
    return failure();
  if (fragment->cols % form.step() != 0)
    return unsupported(op, "inner extents that are not multiples of " + Twine(form.step()));
  return toLeft(*fragment, form, storedType(op.getB()));
}

// The condition under which a mask has removed elements of `value`, which a softmax step made; null where none has.
Value Lowering::maskedIn(Value value) {
  auto step = value.getDefiningOp<tile::SoftmaxStepOp>();
  for (Operation *from = step ? step.getS().getDefiningOp() : nullptr; from;
       from = from->getOperand(0).getDefiningOp()) {
    if (auto mask = dyn_cast<tile::MaskOp>(from))
      return mask.getWhen() ? scalar(mask.getWhen()) : partialTile ? partialTile : c.boolean(true);
    if (!isa<tile::MapOp>(from))
      break;
  }
  return {};
}

LogicalResult Lowering::lower(tile::DotOp op) {
  if (op.headCount() != 1)
    return unsupported(op, "products of several heads side by side");
  if (op.getKind() == "l1")
    return unsupported(op, "sums of distances");
  FailureOr<DotForm> form = formOf(op);
  if (failed(form))
    return failure();
  if (!tile(op.getB()).right)
    return unsupported(op, "a right operand outside shared memory");
  SharedRows &b = *tile(op.getB()).right;
  tile::TileType type = op.getResult().getType();
  if (type.getCols() % 16 != 0)
    return unsupported(op, "results whose columns are not a multiple of 16");
  if (type.getCols() > kMostResultColumns)
    return unsupported(op, "results of more than " + Twine(kMostResultColumns) + " columns",
                       "attend to parts of the values one by one, or compile it for a CPU target");

  if (arch.groups && !b.swizzled)
    remarkOnWarps(op);
  Fragment sums = emptyFragment(type);
  if (op.getAcc()) {
    FailureOr<Fragment> acc = fragmentOf(op, op.getAcc());
    if (failed(acc))
      return failure();
    sums = std::move(*acc);
    if (op.getScale()) {
      FailureOr<Fragment> scale = fragmentOf(op, op.getScale());
      if (failed(scale))
        return failure();
      for (int64_t block = 0; block < sums.blocks(); ++block)
        for (int64_t j = 0; j < sums.cols / 8; ++j)
          for (int64_t e = 0; e < 4; ++e)
            sums.element(block, j, e) = c.mulf(sums.element(block, j, e), scale->at[2 * block + e / 2]);
    }
  } else {
    std::fill(sums.at.begin(), sums.at.end(), c.float32(0));
  }
  awaitTile(b);
  // The matrix instructions make NaN of 0 times infinity, and a value that one row does not see may be another row's.
  // Such terms are added to the rows whose weight is not 0: those that see them; the instructions get 0 for them.
  Value noNumbers;
  if (Value masks = op.getKind() == "nn" ? maskedIn(op.getA()) : Value()) {
    FailureOr<Fragment> p = fragmentOf(op, op.getA());
    if (failed(p))
      return failure();
    noNumbers = c.when(
        masks, {Type(c.i1)}, [&] { return Values{holdsNoNumbers(b)}; }, [&] { return Values{c.boolean(false)}; })[0];
    sums.at = c.when(
        noNumbers, ValueRange(sums.at).getTypes(),
        [&] {
          Values all = addNoNumbers(*p, b, sums);
          dropNoNumbers(b);
          return all;
        },
        [&] { return sums.at; });
  }
  FailureOr<LeftOperand> a = leftOf(op, *form);
  if (failed(a))
    return failure();
  if (b.swizzled)
    multiplyByGroups(*a, b, op.getKind() == "nt", *form, sums, !op.getAcc());
  else
    multiply(*a, b, op.getKind() == "nt", *form, sums);
  if (noNumbers)
    c.when(noNumbers, [&] {
      RowSource from = *tile(op.getB()).rightFrom;
      if (form->tf32()) // these products take all registers, and the addresses of the first copy were alive until here
        from.position = c.anew(from.position);
      copyNow(from, b);
    });
  releaseTile(b);
  tile(op.getResult()) = {};
  tile(op.getResult()).fragment = std::move(sums);
  return success();
}

void Lowering::multiply(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums) {
  if (form.tf32())
    multiplyTf32(a, b, transposed, sums);
  else
    multiplyShort(a, b, transposed, form, sums);
}

// Matrices 0 to 3: rows 0 and 8 of the first half of a step, rows 0 and 8 of the second.
Values Lowering::readLeft(const SharedRows &left, int64_t block, int64_t step) {
  Value row = c.addi(c.muli(c.addi(c.warp, c.int32(block * layout.warps)), c.int32(kMmaRows)),
                     c.andi(c.lane, c.int32(kMmaRows - 1)));
  Value column = c.muli(arith::ShRUIOp::create(c.b, c.lane, c.int32(4)), c.int32(16));
  Value base = c.at(left.base, c.addi(c.muli(row, c.int32(left.rowBytes)), column));
  return c.loadMatrices(c.at(base, step * 32), /*transposed=*/false);
}

// One load gives the registers of two blocks of eight columns. Of `nt` the columns are rows of b, which lie as the
// instruction wants them; of `nn` the inner elements are rows of b, and the load transposes.
void Lowering::multiplyShort(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums) {
  Value row8 = c.andi(c.lane, c.int32(7));
  Value low = c.andi(arith::ShRUIOp::create(c.b, c.lane, c.int32(3)), c.int32(1));
  Value high = arith::ShRUIOp::create(c.b, c.lane, c.int32(4));
  // Matrices 0 to 3 of a load: both inner halves of the first eight columns, then of the next eight.
  Value row = c.addi(row8, c.muli(transposed ? high : low, c.int32(8)));
  Value column = c.muli(transposed ? low : high, c.int32(16));
  Value base = c.at(b.base, c.addi(c.muli(row, c.int32(b.rowBytes)), column));
  SmallVector<Values> left(a.blocks);
  for (int64_t k = 0; k < a.steps; ++k) {
    for (int64_t block = 0; block < a.blocks; ++block)
      left[block] = a.shared ? readLeft(*a.shared, block, k) : Values(a.registers(block, k));
    for (int64_t j = 0; j < sums.cols / 16; ++j) {
      int64_t offset = transposed ? j * 16 * b.rowBytes + k * 32 : k * 16 * b.rowBytes + j * 32;
      Values matrices = c.loadMatrices(c.at(base, offset), !transposed);
      for (int64_t block = 0; block < a.blocks; ++block)
        for (int64_t n = 0; n < 2; ++n) {
          Value *sum = &sums.element(block, 2 * j + n, 0);
          Values next = c.mma(form.type, left[block], ArrayRef<Value>(matrices).slice(2 * n, 2),
                              ValueRange({sum[0], sum[1], sum[2], sum[3]}));
          std::copy(next.begin(), next.end(), sum);
        }
    }
  }
}
