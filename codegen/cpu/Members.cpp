// Lists of ids as bits, and scores that they leave: those of the blocks that a row chose, or of the others.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

LogicalResult Lowering::lower(tile::MembersOp op) {
  const View &lists = views[op.getLists()], &words = views[op.getWords()];
  int64_t slots = lists.type.getInner(), per = static_cast<int64_t>(op.getPer());
  c.loop(c.int64(0), c.floorDiv(words.limit, kLanes), 1,
         [&](Value strip) { c.store(c.stripI(int64_t(0)), c.atScaled(words.base, strip, kLanes * 4), 4); });
  Value position = scalar(op.getPosition()), ids = c.mul(words.limit, per);
  c.when(c.lessUnsigned(position, lists.limit), [&] {
    Ptr list = c.at(lists.base, c.mul(position, lists.positionBytes));
    // Ids rise, so that the bits of a word come one after the other, and what was stored of it need not be read.
    c.whileLoop(
        {c.int64(0), c.int64(-1), c.int32(0)},
        [&](ValueRange now) {
          Value last = c.min(now[0], c.int64(slots - 1));
          Value id = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(list, last, 4), 4));
          Value goesOn = c.andi(c.less(now[0], c.int64(slots)), c.lessUnsigned(id, ids));
          return std::pair(goesOn, Values{now[0], now[1], now[2], id});
        },
        [&](ValueRange now) -> Values {
          Value id = now[3], word = c.floorDiv(id, per);
          Value number = arith::TruncIOp::create(c.b, c.i32, c.sub(id, c.mul(word, per)));
          Value bit = arith::ShLIOp::create(c.b, c.int32(1), number);
          Value bits = c.select(c.equal(word, now[1]), c.ori(now[2], bit), bit);
          c.store(bits, c.atScaled(words.base, word, 4), 4);
          return {c.add(now[0], 1), word, bits};
        });
  });
  return success();
}

LogicalResult Lowering::lower(tile::ChooseOp op) {
  auto words = panelsOf(op.getWords());
  if (failed(words))
    return failure();
  tile(op.getWords()).panels = *words;
  return deferOrCompute(op, op.getTile());
}

void Lowering::applyChoice(tile::ChooseOp op, Strips &strips) {
  const Panels &words = *tile(op.getWords()).panels;
  auto test = op.getOthers() ? arith::CmpIPredicate::eq : arith::CmpIPredicate::ne;
  Value none = c.stripI(int64_t(0));
  for (auto [i, column] : llvm::enumerate(strips.at)) {
    Value block = c.floorDiv(c.add(strips.column, static_cast<int64_t>(i)), static_cast<int64_t>(op.getBlock()));
    Value bit = c.broadcast(arith::ShLIOp::create(c.b, c.int32(1), arith::TruncIOp::create(c.b, c.i32, block)));
    for (auto [p, strip] : llvm::enumerate(column)) {
      Value word = c.asInt(c.loadStrip(stripAt(words, strips.panel, static_cast<int64_t>(p), c.int64(0), 0)));
      Value left = c.compareI(test, c.andi(word, bit), none);
      strip = c.select(left, strip, c.minusInf());
    }
  }
}

Value Lowering::anyChosen(Value scores) {
  if (auto mask = scores.getDefiningOp<tile::MaskOp>())
    scores = mask.getTile();
  auto choose = scores.getDefiningOp<tile::ChooseOp>();
  if (!choose)
    return {};
  int64_t blocks = llvm::divideCeil(choose.getTile().getType().getCols(), choose.getBlock());
  Value bits = c.stripI(static_cast<int32_t>(llvm::maskTrailingOnes<uint32_t>(static_cast<unsigned>(blocks)))), any;
  const Panels &words = *tile(choose.getWords()).panels;
  for (int64_t panel = 0; panel < words.count(); ++panel) {
    Value word = c.asInt(c.loadStrip(words.at(panel)));
    Value left = c.andi(choose.getOthers() ? c.xori(word, bits) : word, bits);
    any = any ? c.ori(any, left) : left;
  }
  return c.anyLane(c.compareI(arith::CmpIPredicate::ne, any, c.stripI(int64_t(0))));
}
