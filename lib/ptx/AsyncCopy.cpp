// cp.async with commit_group, wait_group and wait_all; see AsyncCopy.h.
#include "lib/ptx/AsyncCopy.h"
#include "lib/ptx/Bulk.h"
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {

void AsyncCopies::commit(uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) { ++open[lane]; });
}

template <typename Due> void AsyncCopies::land(Warp &warp, Due due) {
  auto rest = std::partition(copies.begin(), copies.end(), [&](const Copy &copy) { return !due(copy); });
  for (auto copy = rest; copy != copies.end(); ++copy)
    warp.cta.shared().land(copy->address, copy->count, copy->bytes.data(),
                           {warp.threadOf(copy->lane), warp.clock, copy->line, false});
  copies.erase(rest, copies.end());
}

void AsyncCopies::wait(Warp &warp, uint32_t lanes, uint32_t pending) {
  land(warp, [&](const Copy &copy) { return (lanes >> copy.lane & 1) && copy.group + pending < open[copy.lane]; });
}

void AsyncCopies::waitAll(Warp &warp, uint32_t lanes) {
  land(warp, [&](const Copy &copy) { return (lanes >> copy.lane & 1) != 0; });
}

std::vector<AsyncCopies::Copy> AsyncCopies::take(unsigned lane) {
  std::vector<Copy> taken;
  std::copy_if(copies.begin(), copies.end(), std::back_inserter(taken), [&](const Copy &c) { return c.lane == lane; });
  std::erase_if(copies, [&](const Copy &c) { return c.lane == lane; });
  return taken;
}

namespace {
/// cp.async [dst], [src], size {, source size}: what the source size leaves is zero.
void copy(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    AsyncCopies::Copy copy{0, warp.line(), 0, uint8_t(lane), inst.bytes, {}};
    Place to = resolve(inst.address[0].space, addressOf(warp, inst.address[0], lane));
    uint64_t from = addressOf(warp, inst.address[1], lane);
    uint32_t count = inst.count ? warp.row(inst.s[0])[lane] : inst.bytes;
    if (inst.option && (warp.predicate(inst.s[1]) >> lane & 1) != inst.saturate)
      count = 0; // ignore-src
    if (count > inst.bytes) {
      warp.fault(FaultKind::InvalidOperand, lane,
                 [&] { return fmt::format("the source size {} exceeds the size {} of the copy", count, inst.bytes); });
      return;
    }
    if (count && !loadBytes(warp, lane, inst.address[1].space, from, count, inst.bytes, copy.bytes.data()))
      return;
    Accessor by = warp.accessor(lane);
    if (!warp.cta.shared().accessible(by, to.address, inst.bytes, inst.bytes))
      return;
    copy.address = uint32_t(to.address);
    warp.cta.shared().beginCopy(by, copy.address, copy.count);
    warp.copies.issue(copy);
  });
}

void decodeCopy(Build &build) {
  Inst &inst = build.inst;
  bool cg = build.take("cg");
  bool shared = build.take("shared") || build.take("shared::cta"), global = build.take("global");
  if (!shared || !global || cg == build.take("ca"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.takeCacheHints();
  build.expectCount(3, 5);
  inst.count = 0;
  uint64_t bytes = build.immediate(build.operand(2));
  if (bytes != 16 && (cg || (bytes != 4 && bytes != 8)))
    return build.reject(fmt::format("a copy of {} bytes is not supported", bytes));
  inst.bytes = uint8_t(bytes);
  build.address(0, build.operand(0), Space::Shared);
  build.address(1, build.operand(1), Space::Global);
  if (build.count() > 3) {
    const Operand &extra = build.operand(3);
    // A source size, a predicate that ignores the source, or (64 bits) a cache policy.
    if (extra.kind == Operand::Name && build.registerBytes(extra) == 0) {
      bool negated = false;
      inst.s[1] = build.readPredicate(extra, negated);
      inst.saturate = negated;
      inst.option = 1;
    } else if (extra.kind == Operand::Integer || build.registerBytes(extra) == 4) {
      inst.s[0] = build.read(extra, Scalar::U32);
      inst.count = 1;
    }
  }
  inst.execute = copy;
}

void decodeAsync(Build &build) {
  Inst &inst = build.inst;
  if (!build.take("async"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  if (build.take("bulk"))
    return decodeBulk(build);
  if (build.take("mbarrier"))
    return decodeCopyArrive(build);
  if (build.take("commit_group")) {
    build.expectCount(0, 0);
    inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.copies.commit(lanes); };
  } else if (build.take("wait_group")) {
    build.expectCount(1, 1);
    inst.immediate = build.immediate(build.operand(0));
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      warp.copies.wait(warp, lanes, uint32_t(inst.immediate));
    };
  } else if (build.take("wait_all")) {
    build.expectCount(0, 0);
    inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.copies.waitAll(warp, lanes); };
  } else {
    decodeCopy(build);
  }
}
} // namespace

void addAsyncForms(FormTable &table) { table["cp"] = decodeAsync; }

} // namespace sattn::ptx
