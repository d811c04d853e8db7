// Phases of mbarriers; see Mbarrier.h.
#include "lib/ptx/Mbarrier.h"
#include "lib/ptx/Cta.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
constexpr uint32_t ObjectBytes = 8, MaxCount = (1 << 20) - 1;
constexpr unsigned TokenShift = 20;
} // namespace

void Mbarriers::init(Warp &warp, unsigned lane, uint64_t address, uint32_t count) {
  Accessor by = warp.accessor(lane);
  if (!cta.shared().accessible(by, address, ObjectBytes, ObjectBytes))
    return;
  if (barriers.count(uint32_t(address)) || count == 0 || count > MaxCount)
    return warp.fault(FaultKind::MbarrierMisuse, lane, [&] {
      return count == 0 || count > MaxCount
                 ? fmt::format("an mbarrier cannot expect {} arrivals", count)
                 : fmt::format("the mbarrier at shared address {} is initialised while it is in use", address);
    });
  constexpr std::byte zeros[ObjectBytes] = {};
  cta.shared().write(by, uint32_t(address), ObjectBytes, zeros);
  cta.shared().protect(uint32_t(address), ObjectBytes, true);
  Barrier &barrier = barriers[uint32_t(address)];
  barrier.expected = count;
  barrier.pending = count;
  barrier.initThread = warp.threadOf(lane);
  barrier.initClock = warp.clock;
  barrier.clockIndex = cta.mbarrierClock(created++);
  barrier.arriving = std::make_shared<View>(cta.clockCount());
  barrier.released = std::make_shared<const View>(cta.clockCount());
}

void Mbarriers::invalidate(Warp &warp, unsigned lane, uint64_t address) {
  if (!find(warp, lane, address))
    return;
  barriers.erase(uint32_t(address));
  cta.shared().protect(uint32_t(address), ObjectBytes, false);
}

Mbarriers::Barrier *Mbarriers::find(Warp &warp, unsigned lane, uint64_t address) {
  auto found = barriers.find(uint32_t(address));
  if (address > UINT32_MAX || found == barriers.end()) {
    warp.fault(FaultKind::MbarrierMisuse, lane,
               [&] { return fmt::format("there is no initialised mbarrier at shared address {}", address); });
    return nullptr;
  }
  Barrier &barrier = found->second;
  if (barrier.initThread != warp.threadOf(lane) && !warp.view(lane)->knows(barrier.initThread, barrier.initClock))
    warp.fault(FaultKind::Race, lane, [&] {
      return fmt::format("nothing orders this after the initialisation of the mbarrier at shared address {} by thread "
                         "{}",
                         address, barrier.initThread);
    });
  return &barrier;
}

uint64_t Mbarriers::arrive(Warp &warp, unsigned lane, uint64_t address, uint32_t count, int64_t transactions,
                           bool drop) {
  Barrier *barrier = find(warp, lane, address);
  if (!barrier)
    return 0;
  uint64_t token = barrier->phase << TokenShift | uint64_t(barrier->pending);
  if (barrier->pending < int64_t(count)) {
    warp.fault(FaultKind::MbarrierMisuse, lane, [&] {
      return fmt::format("{} more arrivals at the mbarrier at shared address {}, but its phase {} waits for {} of {}",
                         count, address, barrier->phase, barrier->pending, barrier->expected);
    });
    return token;
  }
  barrier->transactions += transactions;
  barrier->pending -= count;
  barrier->expected -= drop ? count : 0;
  warp.release(uint32_t(1) << lane, *barrier->arriving);
  completeIfDue(*barrier);
  return token;
}

void Mbarriers::expect(Warp &warp, unsigned lane, uint64_t address, int64_t transactions) {
  Barrier *barrier = find(warp, lane, address);
  if (!barrier)
    return;
  barrier->transactions += transactions;
  completeIfDue(*barrier);
}

void Mbarriers::incrementPending(Warp &warp, unsigned lane, uint64_t address) {
  if (Barrier *barrier = find(warp, lane, address))
    ++barrier->pending;
}

void Mbarriers::completeIfDue(Barrier &barrier) {
  cta.noteProgress();
  if (barrier.pending || barrier.transactions)
    return;
  ++barrier.landed;
  for (const Landing &landing : barrier.landings)
    cta.shared().land(landing.address, uint32_t(landing.bytes.size()), landing.bytes.data(),
                      {barrier.clockIndex, barrier.landed, landing.line, landing.async});
  barrier.landings.clear();
  barrier.arriving->setThread(barrier.clockIndex, barrier.landed);
  barrier.arriving->join(*barrier.released);
  barrier.released = std::move(barrier.arriving);
  barrier.arriving = std::make_shared<View>(cta.clockCount());
  barrier.pending = barrier.expected;
  ++barrier.phase;
  for (const Waiter &waiter : barrier.waiters)
    waiter.warp->wake(uint32_t(1) << waiter.lane);
  barrier.waiters.clear();
}

bool Mbarriers::test(Warp &warp, unsigned lane, uint64_t address, uint64_t tokenOrParity, bool isParity) {
  Barrier *barrier = find(warp, lane, address);
  if (!barrier)
    return true; // reported; going on finds more than waiting for ever
  if (isParity && tokenOrParity > 1)
    warp.fault(FaultKind::InvalidOperand, lane, [&] { return fmt::format("{} is no parity", tokenOrParity); });
  bool done = isParity ? (barrier->phase & 1) != (tokenOrParity & 1) : barrier->phase != tokenOrParity >> TokenShift;
  if (done)
    warp.acquire(uint32_t(1) << lane, barrier->released);
  return done;
}

void Mbarriers::wait(Warp &warp, unsigned lane, uint64_t address, bool parity) {
  barriers.at(uint32_t(address)).waiters.push_back({&warp, lane, warp.line(), parity});
}

void Mbarriers::enqueue(Warp &warp, unsigned lane, uint64_t address, std::vector<Landing> landings,
                        int64_t transactions) {
  Barrier *barrier = find(warp, lane, address);
  if (!barrier)
    return;
  bool bulk = transactions != 0;
  if (bulk && cta.shared().fencedClock(barrier->initThread) < barrier->initClock &&
      !warp.asyncViewKnows(lane, barrier->initThread, barrier->initClock))
    warp.fault(FaultKind::MissingFence, lane, [&] {
      return fmt::format("the asynchronous proxy uses the mbarrier at shared address {}, but no "
                         "'fence.mbarrier_init' or 'fence.proxy.async' follows its initialisation",
                         address);
    });
  work.push_back({uint32_t(address), transactions, std::move(landings)});
}

void Mbarriers::completeOne() {
  size_t index = cta.random().below(uint32_t(work.size()));
  Work done = std::move(work[index]);
  work.erase(work.begin() + long(index));
  auto found = barriers.find(done.address);
  if (found == barriers.end())
    return;
  Barrier &barrier = found->second;
  for (Landing &landing : done.landings)
    barrier.landings.push_back(std::move(landing));
  barrier.transactions -= done.transactions;
  barrier.pending -= done.transactions == 0;
  completeIfDue(barrier);
}

uint32_t Mbarriers::unfinishedLine() const {
  for (const Work &left : work)
    for (const Landing &landing : left.landings)
      return landing.line;
  for (const auto &[address, barrier] : barriers)
    for (const Landing &landing : barrier.landings)
      return landing.line;
  return 0;
}

std::string Mbarriers::describeWaiting() const {
  std::string text;
  for (const auto &[address, barrier] : barriers) {
    if (barrier.waiters.empty())
      continue;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> lanes;
    for (const Waiter &waiter : barrier.waiters)
      lanes[{waiter.warp->index, waiter.line}] |= uint32_t(1) << waiter.lane;
    for (auto [place, mask] : lanes)
      text += fmt::format("{}lanes {:#x} of warp {} wait in line {} for the mbarrier at shared address {} (phase {}: "
                          "{} of {} arrivals and {} bytes are outstanding)",
                          text.empty() ? "" : "; ", mask, place.first, place.second, address, barrier.phase,
                          barrier.pending, barrier.expected, barrier.transactions);
  }
  return text;
}

} // namespace sattn::ptx
