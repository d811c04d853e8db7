// NaN and infinities in right operands whose rows a mask hides from some rows of the left one. Rare, so that the code
// is loops, and it costs what holds only numbers no more than a look at each element.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

// Of a word of one or two elements: the bits of the exponents, which what is no number has all set, and their lowest
// ones, whose addition then carries into the sign bits.
namespace {
struct Exponents {
  int64_t all, lowest, signs;
};
} // namespace

static Exponents exponentsOf(Type element) {
  if (element.isF32())
    return {0x7f800000, 0x00800000, 0x80000000};
  return element.isF16() ? Exponents{0x7c007c00, 0x04000400, 0x80008000}
                         : Exponents{0x7f807f80, 0x00800080, 0x80008000};
}

static Value word32(Code &c, int64_t bits) { return c.int32(static_cast<int32_t>(static_cast<uint32_t>(bits))); }

// The sign bits of elements that are no numbers; other bits have no meaning.
static Value carries(Code &c, Value word, const Exponents &exponents) {
  return c.addi(c.andi(word, word32(c, exponents.all)), word32(c, exponents.lowest));
}

// Threads take 16 bytes at a time, `body` gets their address and what `carried` became so far.
static Value forPieces(Code &c, const SharedRows &b, int64_t threads, Value init,
                       llvm::function_ref<Value(Value, Value)> body) {
  constexpr int64_t piece = 16;
  // Rows of panels follow each other; others have gaps that nobody writes.
  int64_t inRow = b.swizzled ? 1 : b.cols * b.element.getIntOrFloatBitWidth() / 8 / piece;
  int64_t all = b.swizzled ? b.bytes() / piece : b.rows * inRow, rowBytes = b.swizzled ? piece : b.rowBytes;
  return c.loop(c.thread, c.int32(all), threads, {init}, [&](Value number, ValueRange carried) -> Values {
    Value row = arith::DivUIOp::create(c.b, number, c.int32(inRow));
    Value column = c.subi(number, c.muli(row, c.int32(inRow)));
    Value at = c.at(b.base, c.addi(c.muli(row, c.int32(rowBytes)), c.muli(column, c.int32(piece))));
    return {body(at, carried[0])};
  })[0];
}

Value Lowering::holdsNoNumbers(const SharedRows &b) {
  Exponents exponents = exponentsOf(b.element);
  Type four = VectorType::get({4}, c.i32);
  Value found = forPieces(c, b, threads(), c.int32(0), [&](Value at, Value sofar) {
    Value words = c.load(four, at, 16);
    for (int64_t i = 0; i < 4; ++i)
      sofar = c.ori(sofar, carries(c, LLVM::ExtractElementOp::create(c.b, words, c.int32(i)), exponents));
    return sofar;
  });
  Value own = c.andi(found, word32(c, exponents.signs));
  return c.anyThread(c.compareI(arith::CmpIPredicate::ne, own, c.int32(0)));
}

void Lowering::dropNoNumbers(const SharedRows &b) {
  Exponents exponents = exponentsOf(b.element);
  Type four = VectorType::get({4}, c.i32);
  c.barrier(); // everyone has added them
  forPieces(c, b, threads(), c.int32(0), [&](Value at, Value none) {
    Value words = c.load(four, at, 16);
    for (int64_t i = 0; i < 4; ++i) {
      Value word = LLVM::ExtractElementOp::create(c.b, words, c.int32(i));
      Value signs = c.andi(carries(c, word, exponents), word32(c, exponents.signs));
      // Ones below each sign bit that is set, and it: s - (s >> bits - 1) + s, all within the element.
      int64_t bits = b.element.getIntOrFloatBitWidth();
      Value lowest = arith::ShRUIOp::create(c.b, signs, c.int32(bits - 1));
      Value drop = c.ori(c.subi(signs, lowest), signs);
      Value keep = c.andi(word, c.xori(drop, c.int32(-1)));
      words = LLVM::InsertElementOp::create(c.b, words, keep, c.int32(i));
    }
    c.store(words, at, 16);
    return none;
  });
  if (b.swizzled)
    c.fenceAsync(); // warpgroups read it past the generic proxy
  c.barrier();
}

// The weight of a key in a row of the lane: the lane of the quad that holds it gives it to the others. Registers that
// are picked by comparison keep the loop over keys one.
Value Lowering::weightOf(Fragment &p, int64_t block, int64_t half, Value key) {
  // Keys 2 * pair and the next: columns of the lane pair % 4 in the block of columns pair / 4.
  Value pair = arith::ShRUIOp::create(c.b, key, c.int32(1)), tile = arith::ShRUIOp::create(c.b, key, c.int32(3));
  Value isOdd = c.compareI(arith::CmpIPredicate::ne, c.andi(key, c.int32(1)), c.int32(0)), picked;
  for (int64_t j = 0; j < p.cols / 8; ++j) {
    Value one = c.select(isOdd, p.element(block, j, 2 * half + 1), p.element(block, j, 2 * half));
    picked = j == 0 ? one : c.select(c.compareI(arith::CmpIPredicate::eq, tile, c.int32(j)), one, picked);
  }
  return c.fromLane(picked, c.addi(c.subi(c.lane, c.lanePair), c.andi(pair, c.int32(3))));
}

// A turn of the inner loop is at the first two registers and hands them on as the last ones: code for two in place of
// all, which would be a third of a kernel's. Code for four takes registers that some kernels do not have.
Values Lowering::addNoNumbers(Fragment p, const SharedRows &b, const Fragment &sums) {
  constexpr size_t two = 2; // columns 8 * (turn / 2) + 2 * lanePair and the next, of half turn % 2
  int64_t bytes = b.element.getIntOrFloatBitWidth() / 8;
  auto count = static_cast<size_t>(sums.cols / 2);
  Value own = c.muli(c.lanePair, c.int32(2 * bytes));
  Values result(sums.at);
  for (int64_t block = 0; block < sums.blocks(); ++block) {
    auto first = result.begin() + static_cast<size_t>(block) * count;
    Values part =
        c.loop(c.int32(0), c.int32(p.cols), 1, Values(first, first + count), [&](Value key, ValueRange sofar) {
          Value weights[] = {weightOf(p, block, 0, key), weightOf(p, block, 1, key)};
          return c.loop(c.int32(0), c.int32(static_cast<int64_t>(count / two)), 1, Values(sofar),
                        [&](Value turn, ValueRange carried) {
                          Value unit = arith::ShRUIOp::create(c.b, turn, c.int32(1));
                          Value isFirst = c.compareI(arith::CmpIPredicate::eq, c.andi(turn, c.int32(1)), c.int32(0));
                          Value weight = c.select(isFirst, weights[0], weights[1]);
                          Value row = b.swizzled ? unitOf(b, key, unit)
                                                 : c.at(b.base, c.addi(c.muli(key, c.int32(b.rowBytes)),
                                                                       c.muli(unit, c.int32(8 * bytes))));
                          Values next(carried.drop_front(two));
                          for (size_t i = 0; i < two; ++i) {
                            Value at = c.at(c.at(row, own), static_cast<int64_t>(i) * bytes);
                            Value value = loadNumber(b.element, at);
                            Value difference = c.subf(value, value); // 0 for numbers, else NaN
                            Value counts = c.andi(c.compare(arith::CmpFPredicate::UNE, weight, c.float32(0)),
                                                  c.compare(arith::CmpFPredicate::UNO, difference, difference));
                            next.push_back(c.select(counts, c.addf(carried[i], c.mulf(weight, value)), carried[i]));
                          }
                          return next;
                        });
        });
    std::copy(part.begin(), part.end(), first);
  }
  return result;
}
