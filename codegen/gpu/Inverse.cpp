// Lists turned around: a thread holds the list of one position. The threads agree on the least id that any of them is
// at, those at it are its members, and all of them step past it. In lists without order a step is a search for the
// least id behind the last one; a list that stands alone is searched by all threads.
#include "codegen/gpu/Lowering.h"
#include <limits>

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;
using arith::CmpIPredicate;

/// Lists of a thread at most.
static constexpr int64_t kMostLists = 8;
/// Shared memory that members may need while they are computed with.
static constexpr int64_t kBodyBytes = 24 << 10;
/// A list that has come to its end.
static constexpr int64_t kNoUnit = std::numeric_limits<int32_t>::max();

LogicalResult Lowering::lower(tile::InvertOp op) {
  Inverse inverse{views[op.getLists()], scalar(op.getPosition()), scalar(op.getUnits()),
                  static_cast<int64_t>(op.getCount()), op.getUnordered()};
  inverse.flags = op.getFlags();
  if (op.getBase())
    inverse.base = scalar(op.getBase());
  if (op.getStarts())
    inverse.starts = views[op.getStarts()];
  if (inverse.starts && !inverse.isShared())
    return unsupported(op, "compressed lists of more than one position");
  if (!inverse.lists.type.getElementType().isInteger(32) || inverse.lists.type.getGroup() != 1)
    return unsupported(op, "lists of this form");
  if (inverse.count > kMostLists * threads())
    return unsupported(op, "tasks of more than " + Twine(kMostLists * threads()) + " lists");
  inverses[op.getInverse()] = inverse;
  return success();
}

namespace {
/// One list of a thread while it is walked.
class ListWalk {
public:
  ListWalk(Code &c, const Inverse &inverse, int64_t number, int64_t threads)
      : c(c), inverse(inverse), first(number * threads) {}

  /// The id (i32) at `slot` of the list, or kNoUnit at its end. The address is computed anew: it would be alive while
  /// the members of a unit are computed with.
  Value idAt(Value slot) const {
    Value place = c.addi(c.thread, c.int32(first));
    Value own = arith::ExtUIOp::create(c.b, c.i64, place), position = c.add(inverse.position, own);
    Value exists = c.andi(c.lessUnsigned(position, inverse.lists.limit), c.lessUnsigned(own, c.int64(inverse.count)));
    Value list = c.at(inverse.lists.base, c.mul(position, inverse.lists.positionBytes));
    Value reads = c.andi(exists, c.compareI(CmpIPredicate::ult, slot, c.int32(inverse.lists.type.getInner())));
    Value id = c.when(
        reads, {Type(c.i32)}, [&] { return Values{c.load(c.i32, c.at(list, c.muli(slot, c.int32(4))), 4)}; },
        [&] { return Values{c.int32(-1)}; })[0];
    // Ids ascend, so that the first one out of range ends the list.
    Value valid = c.lessUnsigned(arith::ExtUIOp::create(c.b, c.i64, id), inverse.units);
    return c.select(valid, id, c.int32(kNoUnit));
  }

  /// Of a list in any order: the least id above `last`, or kNoUnit.
  Value idAbove(Value last, int64_t threads) const {
    bool shared = inverse.isShared();
    Value place = shared ? c.int32(0) : c.addi(c.thread, c.int32(first));
    Value own = arith::ExtUIOp::create(c.b, c.i64, place), position = c.add(inverse.position, own);
    Value exists = c.andi(c.lessUnsigned(position, inverse.starts ? inverse.starts->limit : inverse.lists.limit),
                          c.lessUnsigned(own, c.int64(inverse.count)));
    Value row = inverse.starts ? c.int64(0) : position;
    Value list = c.at(inverse.lists.base, c.mul(c.select(exists, row, c.int64(0)), inverse.lists.positionBytes));
    Value from = c.int32(0), to = c.int32(inverse.lists.type.getInner());
    if (inverse.starts) {
      from = start(position);
      to = start(c.add(position, c.int64(1)));
    }
    to = c.select(exists, to, c.int32(0));
    from = shared ? c.addi(from, c.thread) : from;
    Values least = c.loop(from, to, shared ? threads : 1, {c.int32(kNoUnit)}, [&](Value i, ValueRange now) -> Values {
      Value id = c.load(c.i32, c.at(list, c.muli(i, c.int32(4))), 4);
      if (inverse.flags)
        id = c.select(c.compareI(CmpIPredicate::ne, id, c.int32(0)), i, c.int32(-1));
      Value unit = arith::ExtSIOp::create(c.b, c.i64, id);
      if (inverse.base)
        unit = c.sub(unit, inverse.base);
      id = arith::TruncIOp::create(c.b, c.i32, unit);
      Value counts = c.andi(c.compareI(CmpIPredicate::sgt, id, last), c.lessUnsigned(unit, inverse.units));
      return {arith::MinUIOp::create(c.b, now[0], c.select(counts, id, c.int32(kNoUnit)))};
    });
    return least[0];
  }

private:
  // Where a compressed list begins among all elements; behind the last position at their end.
  Value start(Value position) const {
    const View &starts = *inverse.starts;
    Value all = c.int32(inverse.lists.type.getInner());
    return c.when(
        c.lessUnsigned(position, starts.limit), {Type(c.i32)},
        [&]() -> Values {
          Value given = c.load(c.i32, c.at(starts.base, c.mul(position, starts.positionBytes)), 4);
          return {arith::MinSIOp::create(c.b, arith::MaxSIOp::create(c.b, given, c.int32(0)).getResult(), all)};
        },
        [&] { return Values{all}; })[0];
  }

  Code &c;
  const Inverse &inverse;
  int64_t first;
};
} // namespace

// The least word of all threads; `words` has one for each warp.
Value Lowering::leastOfBlock(const SharedTile &words, Value word) {
  Value least = c.leastOfWarp(word);
  c.when(c.compareI(CmpIPredicate::eq, c.lane, c.int32(0)), [&] { storeShared(words, c.warp, least); });
  c.barrier();
  return leastOfWords(words);
}

// What leastOfBlock gave, until it is called again.
Value Lowering::leastOfWords(const SharedTile &words) {
  Value all;
  for (int64_t warp = 0; warp < layout.warps; ++warp) {
    Value one = loadShared(words, c.int32(warp), c.i32);
    all = all ? Value(arith::MinUIOp::create(c.b, all, one)) : one;
  }
  return all;
}

// The positions at `unit`, ascending, with their places in their lists; -1 after them. Returns their number (i32).
Value Lowering::listMembers(const Members &members, ValueRange slots, ValueRange ids, Value unit) {
  size_t lists = slots.size();
  Values votes, isMember;
  for (size_t i = 0; i < lists; ++i) {
    isMember.push_back(c.compareI(CmpIPredicate::eq, ids[i], unit));
    votes.push_back(c.ballot(isMember[i]));
    Value place = c.addi(c.warp, c.int32(static_cast<int64_t>(i) * layout.warps));
    c.when(c.compareI(CmpIPredicate::eq, c.lane, c.int32(0)),
           [&] { storeShared(members.votes, place, c.countBits(votes[i])); });
  }
  forElements(members.ids.count(), [&](Value i) {
    storeShared(members.ids, i, c.int32(-1));
    storeShared(members.slots, i, c.int32(-1));
  });
  // Positions run over the lanes, the warps, the lists of a thread.
  Value count = c.int32(0);
  Values before(lists, c.int32(0));
  for (size_t i = 0; i < lists; ++i) {
    Value earlierLists = count;
    for (int64_t warp = 0; warp < layout.warps; ++warp) {
      Value one = loadShared(members.votes, c.int32(static_cast<int64_t>(i) * layout.warps + warp), c.i32);
      Value earlier = c.compareI(CmpIPredicate::ult, c.int32(warp), c.warp);
      before[i] = c.addi(before[i], c.select(earlier, one, c.int32(0)));
      count = c.addi(count, one);
    }
    before[i] = c.addi(before[i], earlierLists);
  }
  for (size_t i = 0; i < lists; ++i)
    c.when(isMember[i], [&] {
      Value below = c.subi(arith::ShLIOp::create(c.b, c.int32(1), c.lane), c.int32(1));
      Value place = c.addi(before[i], c.countBits(c.andi(votes[i], below)));
      storeShared(members.ids, place, c.addi(c.thread, c.int32(static_cast<int64_t>(i) * threads())));
      storeShared(members.slots, place, slots[i]);
    });
  return count;
}

// One position, with no place in its list.
Value Lowering::onlyMember(const Members &members) {
  forElements(members.ids.count(), [&](Value i) {
    Value first = c.compareI(CmpIPredicate::eq, i, c.int32(0));
    storeShared(members.ids, i, c.select(first, c.int32(0), c.int32(-1)));
    storeShared(members.slots, i, c.int32(-1));
  });
  return c.int32(1);
}

bool Lowering::multipliesTf32(Operation *op) {
  auto walked = op->walk([&](tile::DotOp dot) {
    FailureOr<DotForm> form = formOf(dot);
    return succeeded(form) && form->tf32() ? WalkResult::interrupt() : WalkResult::advance();
  });
  return walked.wasInterrupted();
}

// Numbers of the task that are computed before `op` and read in it or behind it.
static SmallVector<Value> numbersAround(Operation *op) {
  SmallVector<Value> numbers;
  for (Operation &before : llvm::make_range(op->getBlock()->begin(), op->getIterator())) {
    if (before.getNumResults() != 1 || !before.getResult(0).getType().isIndex() || isa<arith::ConstantOp>(before))
      continue;
    bool isRead = llvm::any_of(before.getUsers(), [&](Operation *user) {
      return !op->getBlock()->findAncestorOpInBlock(*user)->isBeforeInBlock(op);
    });
    if (isRead)
      numbers.push_back(before.getResult(0));
  }
  return numbers;
}

// Whether the next unit's tiles are worth a second buffer: products of float32 take longer than the copy, and streams
// within a unit have buffers of their own.
bool Lowering::copiesAhead(tile::StreamInverseOp op) {
  return !multipliesTf32(op) && op.getBody().front().getOps<tile::StreamOp>().empty();
}

LogicalResult Lowering::lower(tile::StreamInverseOp op) {
  // Products of float32 take the registers in which numbers of the task would wait for their next use.
  if (multipliesTf32(op)) {
    SmallVector<Value> numbers = numbersAround(op);
    Value place = c.at(sharedBase, memory.take(8 * static_cast<int64_t>(numbers.size())));
    c.barrier(); // it may have been another value's
    storeWaiting(numbers, place);
    arithmeticWaits = true;
  }
  Inverse inverse = inverses[op.getInverse()];
  Block &body = op.getBody().front();
  auto atOnce = static_cast<int64_t>(op.getMembers());
  int64_t mark = memory.mark(), buffers = 1, lists = llvm::divideCeil(inverse.count, threads());
  MLIRContext *context = op.getContext();
  auto words = [&](int64_t count) { return newShared(tile::TileType::get(context, {count}, c.i32)); };
  int64_t places = llvm::alignTo(inverse.count, atOnce);
  Members members{words(places), words(places), words(lists * layout.warps)};
  SharedTile perWarp = words(layout.warps);
  // Where a thread is in its lists, the ids there and those behind them: registers are needed for the members.
  SharedTile slotsHeld = words(lists * threads()), idsHeld = words(lists * threads()),
             idsBehind = words(lists * threads());
  FailureOr<SmallVector<Staged>> staged = stagedLoads(body, copiesAhead(op) ? 2 : 1, buffers, kBodyBytes);
  if (failed(staged))
    return failure();
  bool ahead = buffers == 2;
  SmallVector<ListWalk> walks;
  auto placeOf = [&](int64_t list) { return c.addi(c.thread, c.int32(list * threads())); };
  auto held = [&](const SharedTile &words) {
    Values values;
    for (int64_t i = 0; i < lists; ++i)
      values.push_back(loadShared(words, placeOf(i), c.i32));
    return values;
  };
  // The id at `slot`, which is not `id` but comes next behind it.
  auto idBehind = [&](int64_t list, Value id, Value slot) {
    return inverse.unordered ? walks[list].idAbove(id, threads()) : walks[list].idAt(slot);
  };
  auto least = [&](ValueRange ids) {
    Value all;
    for (Value id : ids)
      all = all ? Value(arith::MinUIOp::create(c.b, all, id)) : id;
    return leastOfBlock(perWarp, all);
  };
  Values firstIds;
  for (int64_t i = 0; i < lists; ++i) {
    walks.emplace_back(c, inverse, i, threads());
    firstIds.push_back(idBehind(i, c.int32(-1), c.int32(0)));
    storeShared(slotsHeld, placeOf(i), c.int32(0));
    storeShared(idsHeld, placeOf(i), firstIds.back());
    storeShared(idsBehind, placeOf(i), idBehind(i, firstIds.back(), c.int32(1)));
  }
  // The body's masks depend on their conditions alone.
  Value outer = std::exchange(partialTile, Value());
  bool ok = true;
  auto copy = [&](Value unit, Value buffer) {
    ok = ok && succeeded(prefetch(body, *staged, arith::ExtUIOp::create(c.b, c.i64, unit), buffer));
  };
  auto exists = [&](Value unit) { return c.compareI(CmpIPredicate::ne, unit, c.int32(kNoUnit)); };

  c.barrier();
  Value first = least(firstIds);
  if (ahead) {
    c.when(exists(first), [&] { copy(first, c.int32(0)); });
    c.commitCopies();
  }
  c.whileLoop(
      {first, c.int32(0)}, [&](ValueRange now) { return std::pair(exists(now[0]), Values(now)); },
      [&](ValueRange now) -> Values {
        Value unit = now[0], buffer = ahead ? now[1] : Value();
        if (!ahead) {
          copy(unit, {});
          c.commitCopies();
        }
        Values slots = held(slotsHeld), ids = held(idsHeld), behind = held(idsBehind), following;
        Value count = inverse.isShared() ? onlyMember(members) : listMembers(members, slots, ids, unit);
        // What comes behind the ids that are next is on its way while members are computed with.
        for (int64_t i = 0; i < lists; ++i) {
          Value isMember = c.compareI(CmpIPredicate::eq, ids[i], unit);
          Value slot = c.addi(slots[i], arith::ExtUIOp::create(c.b, c.i32, isMember));
          ids[i] = c.select(isMember, behind[i], ids[i]);
          storeShared(slotsHeld, placeOf(i), slot);
          storeShared(idsHeld, placeOf(i), ids[i]);
          following.push_back(idBehind(i, ids[i], c.addi(slot, c.int32(1))));
        }
        awaitCopies();
        Value next = least(ids), other = c.xori(now[1], c.int32(1)); // a barrier: all have landed
        if (ahead) {
          c.when(exists(next), [&] { copy(next, other); });
          c.commitCopies();
        }
        c.loop(c.int32(0), count, atOnce, [&](Value from) {
          for (auto [argument, all] :
               {std::pair(body.getArgument(1), &members.ids), {body.getArgument(2), &members.slots}}) {
            tile(argument) = {};
            tile(argument).shared = SharedTile{c.at(all->base, c.muli(from, c.int32(4))), atOnce, 0};
          }
          useStaged(*staged, buffer);
          scalars[body.getArgument(0)] = arith::ExtUIOp::create(c.b, c.i64, unit);
          int64_t inside = memory.mark();
          ok = ok && succeeded(lowerBody(body));
          memory.release(inside);
        });
        for (int64_t i = 0; i < lists; ++i)
          storeShared(idsBehind, placeOf(i), following[i]);
        c.barrier(); // members and tiles may be overwritten, rows of private memory be another warp's
        return {ahead ? next : leastOfWords(perWarp), other}; // not held in a register while members are computed with
      });
  partialTile = outer;
  memory.release(mark);
  return success(ok);
}
