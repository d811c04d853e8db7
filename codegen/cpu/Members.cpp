// Lists of ids as bits, which masks of tiles test.
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
    c.loop(c.int64(0), c.int64(slots), 1, [&](Value slot) {
      Value id = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(list, slot, 4), 4));
      c.when(c.lessUnsigned(id, ids), [&] {
        Value word = c.floorDiv(id, per);
        Value number = arith::TruncIOp::create(c.b, c.i32, c.sub(id, c.mul(word, per)));
        Ptr place = c.atScaled(words.base, word, 4);
        Value bit = arith::ShLIOp::create(c.b, c.int32(1), number);
        c.store(c.ori(c.load(c.i32, place, 4), bit), place, 4);
      });
    });
  });
  return success();
}
