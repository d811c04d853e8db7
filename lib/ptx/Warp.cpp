// The instruction loop of a warp; see Warp.h.
#include "lib/ptx/Warp.h"
#include "lib/ptx/Cta.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sattn::ptx {
namespace {
constexpr uint32_t All = ~uint32_t(0), None = ~uint32_t(0);
unsigned firstLane(uint32_t lanes) { return unsigned(std::countr_zero(lanes)); }
} // namespace

Warp::Warp(Cta &cta, const Program &program, uint32_t index, uint32_t lanes)
    : cta(cta), program(program), index(index), live(lanes), wgmma(program), registers(size_t(program.rowCount) * 32),
      definedLanes(program.rowCount, 0) {
  for (const Constant &constant : program.constants)
    for (unsigned lane = 0; lane < 32; ++lane)
      constant.bytes == 8 ? void(wide(constant.row)[lane] = constant.value)
                          : void(row(constant.row)[lane] = uint32_t(constant.value));
  for (const Constant &constant : program.constants)
    definedLanes[constant.row] = All;
  for (auto [specialRow, special] : program.specials)
    for (unsigned lane = 0; lane < 32; ++lane)
      row(specialRow)[lane] = cta.special(special, threadOf(lane));
  for (auto [specialRow, special] : program.specials)
    definedLanes[specialRow] = All;
  auto initial = std::make_shared<const View>(cta.clockCount());
  std::fill(std::begin(views), std::end(views), initial);
  regroup();
}

void Warp::wake(uint32_t lanes) {
  blocked &= ~lanes;
  nextOther = 0; // forces a new choice
}

/// Chooses the lanes to run next and where the others stand.
void Warp::regroup() {
  for (uint32_t lanes = group; lanes; lanes &= lanes - 1)
    counters[firstLane(lanes)] = counter;
  uint32_t runnable = live & ~blocked & ~parked;
  if (!(runnable & ~yielded))
    yielded = 0;
  group = 0;
  counter = nextOther = None;
  for (uint32_t lanes = runnable & ~yielded; lanes; lanes &= lanes - 1)
    counter = std::min(counter, counters[firstLane(lanes)]);
  if (counter == None)
    return;
  // Lanes parked here joined first; whether all are here now is decided by the instruction. A group that comes to
  // parked lanes regroups, too, and takes them along.
  for (uint32_t lanes = (runnable | parked) & live; lanes; lanes &= lanes - 1) {
    unsigned lane = firstLane(lanes);
    if (counters[lane] == counter)
      group |= uint32_t(1) << lane;
    else if (counters[lane] > counter)
      nextOther = std::min(nextOther, counters[lane]);
  }
  parked &= ~group;
  yielded &= ~group;
}

void Warp::park(uint32_t lanes) {
  for (uint32_t rest = group; rest; rest &= rest - 1)
    counters[firstLane(rest)] = counter + !(lanes >> firstLane(rest) & 1);
  parked |= lanes;
  group = 0;
  regroup();
}

void Warp::run(uint32_t steps) {
  pause = false;
  regroup();
  while (steps-- && group && !pause && !cta.stopped())
    step();
}

void Warp::step() {
  const Inst &inst = program.code[counter];
  instruction = &inst;
  uint32_t lanes = group;
  if (inst.guarded) {
    if (uint32_t undefined = lanes & ~definedLanes[inst.guard])
      checkReads(inst, undefined);
    lanes &= inst.guardNegated ? ~predicate(inst.guard) : predicate(inst.guard);
  }
  active = lanes;
  cta.count(inst.opcode);
  if (lanes) {
    bool members = inst.converge == Converge::Members;
    if (inst.converge != Converge::None && !members && !gathered(inst, lanes))
      return;
    checkReads(inst, lanes);
    if (members)
      return stepMembers(inst, lanes);
  }
  switch (inst.flow) {
  case Flow::Branch:
    return branch(inst, lanes);
  case Flow::Table:
    return branchByTable(inst, lanes);
  case Flow::Exit:
    live &= ~lanes;
    cta.exited(*this, lanes);
    return leave(group & ~lanes);
  case Flow::Next:
    if (lanes) {
      inst.execute(*this, inst, lanes);
      markWrites(inst, lanes);
    }
    if (++counter >= nextOther)
      regroup();
    return;
  case Flow::Barrier:
  case Flow::Wait:
    repeated = 0;
    if (lanes) {
      inst.execute(*this, inst, lanes);
      markWrites(inst, lanes & ~repeated);
    }
    return leave(group);
  }
}

/// Ends the present group: `staying` goes on after the instruction, except lanes that repeat it.
void Warp::leave(uint32_t staying) {
  for (uint32_t rest = staying; rest; rest &= rest - 1) {
    unsigned lane = firstLane(rest);
    counters[lane] = counter + !(repeated >> lane & 1);
  }
  if (repeated & ~blocked) {
    yielded |= repeated;
    pause = true;
  }
  repeated = 0;
  group = 0;
  regroup();
}

void Warp::branch(const Inst &inst, uint32_t taken) {
  if (taken == group)
    counter = inst.target;
  else if (!taken)
    ++counter;
  else {
    for (uint32_t rest = group; rest; rest &= rest - 1)
      counters[firstLane(rest)] = taken >> firstLane(rest) & 1 ? inst.target : counter + 1;
    group = 0;
    return regroup();
  }
  // A jump back may pass others that wait before this point; they have the smaller counter only if they were passed.
  // Parked lanes may stand ahead of the target, though they stood behind the jump.
  if (parked || counter >= nextOther)
    regroup();
}

void Warp::branchByTable(const Inst &inst, uint32_t taken) {
  std::span<const uint32_t> targets = program.list(inst.list[0]);
  for (uint32_t rest = group; rest; rest &= rest - 1) {
    unsigned lane = firstLane(rest);
    uint32_t choice = row(inst.s[0])[lane];
    bool jumps = taken >> lane & 1;
    if (jumps && choice >= targets.size())
      fault(FaultKind::InvalidOperand, lane,
            [&] { return fmt::format("index {} into a table of {} branch targets", choice, targets.size()); });
    counters[lane] = jumps && choice < targets.size() ? targets[choice] : counter + 1;
  }
  group = 0;
  regroup();
}

/// True if every lane of the warp that the instruction needs is here; parks `lanes` otherwise.
bool Warp::gathered(const Inst &inst, uint32_t lanes) {
  if (inst.converge == Converge::Warp && live != All) {
    fault(FaultKind::BarrierDivergence, firstLane(lanes),
          [&] { return fmt::format("needs all 32 lanes, but only those of {:#x} exist or have not exited", live); });
    return true;
  }
  if (!(live & ~lanes))
    return true;
  park(lanes);
  return false;
}

/// Converge::Members: the lanes with the same member mask execute together, once all members that have not exited are
/// here; different masks are independent of each other.
void Warp::stepMembers(const Inst &inst, uint32_t lanes) {
  uint32_t masks[32], waiting = 0;
  std::copy_n(row(inst.s[0]), 32, masks);
  for (uint32_t rest = lanes; rest;) {
    uint32_t members = masks[firstLane(rest)], same = 0;
    for (uint32_t others = rest; others; others &= others - 1)
      same |= uint32_t(masks[firstLane(others)] == members) << firstLane(others);
    rest &= ~same;
    if (uint32_t outside = same & ~members)
      fault(FaultKind::BarrierDivergence, firstLane(outside), [&] {
        return fmt::format("lane {} executes with member mask {:#x}, of which it is no member", firstLane(outside),
                           members);
      });
    if (members & live & ~same) {
      waiting |= same;
      continue;
    }
    active = same;
    inst.execute(*this, inst, same);
    markWrites(inst, same);
  }
  if (waiting)
    return park(waiting);
  if (++counter >= nextOther)
    regroup();
}

void Warp::checkReads(const Inst &inst, uint32_t lanes) {
  auto check = [&](Row row) {
    uint32_t missing = lanes & ~definedLanes[row];
    if (!missing)
      return;
    fault(FaultKind::UninitialisedRegister, firstLane(missing), [&] {
      auto name = program.registerNames.find(row);
      return fmt::format("register '{}' was never written", name == program.registerNames.end() ? "?" : name->second) +
             cta.whyUndefined(*this, row);
    });
    definedLanes[row] |= missing;
  };
  if (inst.guarded)
    check(inst.guard);
  for (Row row : program.list(inst.reads))
    check(row);
}

void Warp::markWrites(const Inst &inst, uint32_t lanes) {
  if (wgmma.inUse() && lanes)
    for (Row row : program.list(inst.writes))
      wgmma.noteWrite(*this, row, lanes);
  if (inst.ownsWrites)
    return;
  for (Row row : program.list(inst.writes))
    definedLanes[row] |= lanes;
}

bool Warp::isNewFault(FaultKind kind, unsigned lane) { return cta.isNewFault(kind, line()); }

void Warp::addFault(FaultKind kind, unsigned lane, std::string message) {
  cta.addFault(kind, line(), threadOf(lane), std::move(message));
}

std::string Warp::describeThread(uint32_t thread) const {
  return thread < cta.threadCount() ? fmt::format("thread {}", thread) : std::string("an asynchronous copy");
}

std::string Warp::describeLanes(uint32_t lanes) const {
  std::map<uint32_t, uint32_t> byLine;
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    byLine[program.code[counters[firstLane(rest)]].line] |= uint32_t(1) << firstLane(rest);
  std::string text;
  for (auto [line, mask] : byLine)
    text += fmt::format("{}lanes {:#x} of warp {} in line {} ('{}')", text.empty() ? "" : ", ", mask, index, line,
                        cta.lineText(line));
  return text;
}

void Warp::acquire(uint32_t lanes, const ViewPointer &released) {
  while (lanes) {
    // Lanes that share a view go on sharing one.
    ViewPointer old = views[firstLane(lanes)];
    if (lastJoin.known != old || lastJoin.released != released) {
      auto joined = std::make_shared<View>(*old);
      joined->join(*released);
      lastJoin = {old, released, std::move(joined)};
    }
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      unsigned lane = firstLane(rest);
      if (views[lane] == old) {
        views[lane] = lastJoin.joined;
        lanes &= ~(uint32_t(1) << lane);
      }
    }
  }
}

void Warp::release(uint32_t lanes, View &into) {
  const View *last = nullptr;
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const View *view = views[firstLane(rest)].get();
    if (view != last)
      into.join(*view);
    last = view;
  }
  into.set(index, lanes, clock++);
}

void Warp::synchronise(uint32_t lanes) {
  auto joined = std::make_shared<View>(cta.clockCount());
  release(lanes, *joined);
  ViewPointer shared = std::move(joined);
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    views[firstLane(rest)] = shared;
}

void Warp::proxyFence(uint32_t lanes) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    unsigned lane = firstLane(rest);
    cta.shared().fence(threadOf(lane), clock);
    asyncViews[lane] = views[lane];
  }
  ++clock;
}

} // namespace sattn::ptx
