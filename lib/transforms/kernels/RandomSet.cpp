// Conjunctions of random blocks, and their numbers in index arithmetic.
#include "lib/transforms/kernels/RandomSet.h"
#include "lib/support/RandomBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sattn::lower {
using namespace mlir;
using quasi::Var;

FailureOr<RandomSet> RandomSet::make(Context &context, RandomOp op, int64_t rows) {
  RandomSet random;
  auto count = literalInt(op.getCount()), block = literalInt(op.getBlock());
  if (!count)
    return context.refuse(op, "'count(" + toText(op.getCount()) + ")' of a dynamic param");
  random.seed = op.getSeed();
  if (!literalInt(random.seed) && !random.seed.is(ExprKind::Name))
    return context.refuse(op, "'seed(" + toText(random.seed) + ")', a sum of params,");
  random.count = *count;
  random.block = *block;
  random.rowBlocks = llvm::divideCeil(rows - 1, random.block) + 1;
  return random;
}

std::string RandomSet::ownName() const {
  return "random " + std::to_string(count) + " " + toText(seed) + " " + std::to_string(block);
}
std::string RandomSet::name(int64_t rowBlock, int64_t i) const {
  return ownName() + " " + std::to_string(rowBlock) + " " + std::to_string(i);
}

std::optional<quasi::Set> RandomSet::positions(std::string &why) const {
  quasi::Set set;
  auto symbol = [&](const std::string &text) {
    return quasi::Set::variable(set.symbol({text, quasi::SymbolInfo::Size}));
  };
  auto blockOf = [&](Var position) { return set.floorDiv(quasi::Set::variable(position), block); };
  for (int64_t k = 0; k < rowBlocks; ++k)
    for (int64_t i = 0; i < count; ++i) {
      auto row = blockOf(Var::row()), key = blockOf(Var::key());
      auto own = row ? set.add(*row, symbol(ownName()), -1) : std::nullopt;
      auto drawn = key ? set.add(*key, symbol(name(k, i)), -1) : std::nullopt;
      bool fits = own && drawn;
      quasi::Set::Building both;
      if (fits)
        own->constant -= k;
      fits = fits && set.addAtom(both, quasi::Atom::EQ, *own) && set.addAtom(both, quasi::Atom::EQ, *drawn) &&
             set.addDisjunct(std::move(both));
      if (!fits) {
        why = set.error().str();
        return std::nullopt;
      }
    }
  return set;
}

namespace {
/// RandomMixer in index arithmetic.
struct Mixer {
  IndexBuilder &b;
  template <typename Op> Value make(Value x, int64_t y) { return b.b.createOrFold<Op>(b.loc, x, b.constant(y)); }
  Value mixed(Value x) {
    using M = RandomMixer;
    x = make<arith::AndIOp>(b.add(x, M::start), M::mask);
    for (int round = 0; round < M::rounds; ++round) {
      x = b.b.createOrFold<arith::XOrIOp>(b.loc, x, make<arith::ShRUIOp>(x, M::shift));
      x = make<arith::AndIOp>(b.mul(x, M::factor), M::mask);
    }
    return b.b.createOrFold<arith::XOrIOp>(b.loc, x, make<arith::ShRUIOp>(x, M::shift));
  }
};
} // namespace

void RandomSet::define(Task &task, const Rows &rows) const {
  KernelBuilder &k = task.k;
  Mixer mixer{k};
  auto number = literalInt(seed);
  Value start = number ? k.constant(*number) : task.symbol(seed.getText());
  start = mixer.mixed(mixer.make<arith::AndIOp>(start, RandomMixer::mask));
  Value own = k.floorDiv(k.add(task.qOffset(), rows.first), block);
  Value keyBlocks = k.ceilDiv(k.add(task.kvOffset(), task.keyCount()), block);
  task.define(ownName(), own);
  for (int64_t row = 0; row < rowBlocks; ++row) {
    Value at = mixer.make<arith::AndIOp>(k.add(own, row), RandomMixer::mask);
    Value ofRow = mixer.mixed(k.b.createOrFold<arith::XOrIOp>(k.loc, start, at));
    for (int64_t i = 0; i < count; ++i) {
      Value drawn = mixer.mixed(mixer.make<arith::XOrIOp>(ofRow, i));
      Value low = k.floorDiv(k.mul(keyBlocks, i), count), high = k.floorDiv(k.mul(keyBlocks, i + 1), count);
      Value blocks = k.sub(high, low), inPart = k.mod(drawn, k.max(blocks, k.constant(1)));
      // An empty part names a block that no key is in.
      Value none = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq, blocks, k.constant(0));
      task.define(name(row, i), arith::SelectOp::create(k.b, k.loc, none, k.constant(-1), k.add(low, inPart)));
    }
  }
}

} // namespace sattn::lower
