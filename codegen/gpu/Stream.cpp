// Streams: a loop that walks from tile to tile of the cover. The right operands of the body's dots are copied to shared
// memory one tile ahead, while the tile before is computed with; carried tiles stay in registers.
#include "codegen/common/ScalarOps.h"
#include "codegen/gpu/Lowering.h"
#include "codegen/gpu/Runs.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

// Whether a body differs for full and partial tiles.
static bool hasMask(tile::StreamOp op) {
  bool found = false;
  op.getBody().walk([&](tile::MaskOp mask) { found |= !mask.getWhen(); });
  return found;
}

// Whether `position` is index arithmetic on the first argument of `body` and values from outside.
static bool followsFrom(Block &body, Value position) {
  Operation *def = position.getDefiningOp();
  if (!def || def->getBlock() != &body)
    return position.getParentBlock() != &body || position == body.getArgument(0);
  return def->getNumRegions() == 0 && mlir::isPure(def) &&
         llvm::all_of(def->getOperands(), [&](Value operand) { return followsFrom(body, operand); });
}

SmallVector<tile::LoadOp> Lowering::loadsAhead(Block &body) {
  SmallVector<tile::LoadOp> loads;
  for (auto load : body.getOps<tile::LoadOp>()) {
    bool isRight = llvm::any_of(load.getTile().getUses(), [](OpOperand &use) {
      return isa<tile::DotOp>(use.getOwner()) && use.getOperandNumber() == 1;
    });
    if (isRight && followsFrom(body, load.getPosition()))
      loads.push_back(load);
  }
  return loads;
}

FailureOr<SmallVector<Lowering::Staged>> Lowering::stagedLoads(Block &body, int64_t mostBuffers, int64_t &buffers,
                                                               int64_t others) {
  SmallVector<Staged> staged;
  int64_t bytes = 0;
  for (tile::LoadOp load : loadsAhead(body)) {
    FailureOr<SharedRows> rows = newSharedRows(load, load.getTile(), load.getView().getType());
    if (failed(rows))
      return failure();
    staged.push_back({load, *rows, rows->bytes()});
    bytes += staged.back().bufferBytes;
  }
  buffers = std::min<int64_t>(mostBuffers, memory.mark() + 2 * bytes + others <= arch.sharedBytes ? 2 : 1);
  for (Staged &operand : staged)
    takeMemory(operand.rows, buffers);
  return staged;
}

// Copies of the tiles for `index`: the index arithmetic that positions depend on is emitted for it.
LogicalResult Lowering::prefetch(Block &body, ArrayRef<Staged> staged, Value index, Value buffer) {
  scalars[body.getArgument(0)] = index;
  SmallVector<Value> made;
  LogicalResult status = success();
  auto emit = [&](auto &self, Value value) -> void {
    Operation *def = value.getDefiningOp();
    if (scalars.contains(value) || !def || failed(status))
      return;
    for (Value operand : def->getOperands())
      self(self, operand);
    status = failed(status) ? status : lowerScalar(def);
    made.push_back(value);
  };
  for (const Staged &operand : staged) {
    tile::LoadOp load = operand.load;
    emit(emit, load.getPosition());
    if (failed(status))
      return failure();
    SharedRows rows = operand.rows;
    if (buffer)
      rows.base = c.at(rows.base, c.muli(buffer, c.int32(operand.bufferBytes)));
    if (producing)
      startBoxes(load, rows);
    else
      startCopy(
          {views[load.getView()], scalar(load.getPosition()), rows.rows, {}, codegen::divisorOf(load.getPosition())},
          rows);
  }
  for (Value value : made)
    scalars.erase(value);
  return success();
}

void Lowering::useStaged(ArrayRef<Staged> staged, Value buffer) {
  for (const Staged &operand : staged) {
    SharedRows rows = operand.rows;
    if (buffer)
      rows.base = c.at(rows.base, c.muli(buffer, c.int32(operand.bufferBytes)));
    Value loaded = tile::LoadOp(operand.load).getTile();
    tile(loaded) = {};
    tile(loaded).right = rows;
  }
}

// The body; gives the next carried values. Those in shared memory are copied to where they are carried.
FailureOr<Values> Lowering::streamBody(tile::StreamOp op) {
  Block &body = op.getBody().front();
  int64_t mark = memory.mark();
  SmallVector<std::optional<SharedTile>> homes;
  for (Value argument : op.getCarried())
    homes.push_back(tile(argument).shared);
  if (failed(lowerBody(body)))
    return failure();
  Values next;
  for (auto [value, home] : llvm::zip(cast<tile::YieldOp>(body.getTerminator()).getValues(), homes)) {
    TileValue &held = tile(value);
    if (held.top) {
      next.append(held.top->scores);
      next.append(held.top->ids);
      continue;
    }
    if (home) {
      FailureOr<SharedTile> from = sharedOf(op, value);
      if (failed(from))
        return failure();
      forElements(home->count(), [&, home = home](Value i) { storeShared(*home, i, loadShared(*from, i, c.f32)); });
      continue;
    }
    FailureOr<Fragment> fragment = fragmentOf(op, value);
    if (failed(fragment))
      return failure();
    next.append(fragment->at);
  }
  memory.release(mark);
  return next;
}

// Whether an op computes its result in shared memory whatever its operands are.
static bool makesShared(Value value) { return isa_and_nonnull<tile::PoolOp>(value.getDefiningOp()); }

// What a loop carries: registers one after the other, and tiles that stay where they are in shared memory.
FailureOr<Lowering::Carried> Lowering::startCarry(tile::StreamOp op) {
  Carried carried;
  auto yield = cast<tile::YieldOp>(op.getBody().front().getTerminator());
  for (auto [init, yielded] : llvm::zip(op.getInits(), yield.getValues())) {
    TileValue &held = tile(init), &value = carried.values.emplace_back();
    if (held.top) {
      value.top = held.top;
      carried.registers.append(held.top->scores);
      carried.registers.append(held.top->ids);
    } else if (!isa<tile::TileType>(init.getType())) {
      return unsupported(op, "carried values that are not tiles");
    } else if (held.shared || makesShared(yielded)) {
      FailureOr<SharedTile> home = copyToShared(op, init);
      if (failed(home))
        return failure();
      value.shared = *home;
    } else {
      FailureOr<Fragment> fragment = fragmentOf(op, init);
      if (failed(fragment))
        return failure();
      carried.registers.append(fragment->at);
      value.fragment = std::move(*fragment);
    }
  }
  return carried;
}

void Lowering::setCarried(ValueRange targets, const Carried &carried, ValueRange registers) {
  auto next = [&](Values &to) {
    size_t count = to.size();
    to.assign(registers.begin(), registers.begin() + count);
    registers = registers.drop_front(count);
  };
  for (auto [target, form] : llvm::zip(targets, carried.values)) {
    TileValue value = form;
    if (value.fragment)
      next(value.fragment->at);
    if (value.top) {
      next(value.top->scores);
      next(value.top->ids);
    }
    tile(target) = std::move(value);
  }
}

/// Numbers of masks that a loop over tiles keeps in registers.
static constexpr size_t kMostSymbols = 4;

// The numbers from outside that the masks of a stream read, where they had better wait in shared memory.
static SmallVector<Value> symbolsOutside(tile::StreamOp op) {
  llvm::SetVector<Value> symbols;
  op.getBody().walk([&](tile::MaskOp mask) {
    for (Value symbol : mask.getSymbols())
      if (!op.getBody().isAncestor(symbol.getParentRegion()) && !symbol.getDefiningOp<arith::ConstantOp>())
        symbols.insert(symbol);
  });
  if (op->getParentOfType<tile::StreamOp>() || op->getParentOfType<tile::StreamInverseOp>() ||
      symbols.size() <= kMostSymbols)
    return {};
  return llvm::to_vector(symbols);
}

void Lowering::storeWaiting(ArrayRef<Value> numbers, Value to) {
  auto place = [&](size_t i) { return c.at(to, 8 * static_cast<int64_t>(i)); };
  c.when(c.compareI(arith::CmpIPredicate::eq, c.thread, c.int32(0)), [&] {
    for (auto [i, number] : llvm::enumerate(numbers))
      c.store(scalar(number), place(i), 8);
  });
  for (auto [i, number] : llvm::enumerate(numbers))
    waiting[number] = place(i);
}

LogicalResult Lowering::lower(tile::StreamOp op) {
  auto cover = op.getCover().getDefiningOp<tile::CoverOp>();
  if (!cover)
    return unsupported(op, "a cover that is not made by sattn_tile.cover");
  Block &block = op.getBody().front();
  int64_t buffers = 2;

  FailureOr<Carried> carried = startCarry(op);
  if (failed(carried))
    return failure();
  int64_t buffersMark = memory.mark(); // carried tiles in shared memory stay
  Runs runs(c, cover, [&](Value value) { return scalar(value); });
  Value table = runs.bytes() == 0 ? Value() : c.at(sharedBase, memory.take(runs.bytes()));
  SmallVector<Value> symbols = symbolsOutside(op);
  llvm::erase_if(symbols, [&](Value symbol) { return waiting.contains(symbol); });
  Value numbers = symbols.empty() ? Value() : c.at(sharedBase, memory.take(8 * static_cast<int64_t>(symbols.size())));
  bool ringed = ring && ring->streams.contains(op);
  FailureOr<SmallVector<Staged>> staged = ringed ? ringLoads(op) : stagedLoads(block, 2, buffers);
  if (failed(staged))
    return failure();

  Value first = runs.next({});
  bool ok = true, ahead = buffers == 2 && !ringed;
  auto copy = [&](Value index, Value buffer) {
    c.when(c.compareI(arith::CmpIPredicate::ne, index, c.int64(kEnd)),
           [&] { ok = ok && succeeded(prefetch(block, *staged, index, ahead ? buffer : Value())); });
    c.commitCopies();
  };
  c.barrier(); // the buffers may have been other values'
  if (table || numbers) {
    if (table) {
      c.when(c.compareI(arith::CmpIPredicate::eq, c.thread, c.int32(0)), [&] { runs.store(table); });
      runs.readFrom(table);
    }
    storeWaiting(symbols, numbers);
    c.barrier();
  }
  if (ahead)
    copy(first, c.int32(0));
  Values state{first, ringed ? turn : c.int32(0)};
  state.append(carried->registers);
  Values results = c.whileLoop(
      state,
      [&](ValueRange now) {
        return std::pair(c.compareI(arith::CmpIPredicate::ne, now[0], c.int64(kEnd)), Values(now));
      },
      [&](ValueRange now) -> Values {
        Value index = now[0], buffer = now[1];
        Value next = runs.next(c.add(index, 1)), other = c.xori(buffer, c.int32(1));
        if (ringed) {
          turn = buffer;
          other = c.addi(turn, c.int32(static_cast<int64_t>(staged->size())));
        } else if (!ahead) {
          c.barrier(); // everyone is done with the tile before
          copy(index, buffer);
        }
        if (!ringed) {
          awaitCopies();
          c.barrier(); // all copies of this tile have landed, and everyone is done with the one before
        }
        if (ahead)
          copy(next, other);
        scalars[op.getInductionVar()] = index;
        if (ringed)
          useRing(*staged);
        else
          useStaged(*staged, ahead ? buffer : Value());
        setCarried(op.getCarried(), *carried, now.drop_front(2));
        int64_t tilesBefore = sharedTiles;
        Value outer = partialTile;
        if (hasMask(op))
          partialTile = c.xori(runs.isFull(index), c.boolean(true));
        FailureOr<Values> values = ok ? streamBody(op) : FailureOr<Values>();
        partialTile = outer;
        ok = ok && succeeded(values);
        Values result{next, other};
        result.append(ok ? *values : Values(now.drop_front(2)));
        // What the next round writes, others may still read in this one.
        if (ringed && sharedTiles != tilesBefore)
          c.barrier();
        return result;
      });
  if (!ok)
    return failure();
  if (ringed)
    turn = results[1];
  for (Value symbol : symbols)
    waiting.erase(symbol);
  c.barrier(); // the buffers may be used again
  memory.release(buffersMark);
  setCarried(op.getResults(), *carried, ValueRange(results).drop_front(2));
  return success();
}
