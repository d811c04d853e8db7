// The mbarrier instructions; the objects are in Mbarrier.h.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
enum class Operation : uint32_t { Init, Invalidate, Arrive, ArriveDrop, Expect, Complete, Test, Try };

/// The offset in shared memory; generic addresses lie in its window.
uint64_t objectAddress(Warp &warp, const Inst &inst, unsigned lane) {
  return resolve(inst.address[0].space, addressOf(warp, inst.address[0], lane)).address;
}

void change(Warp &warp, const Inst &inst, uint32_t lanes) {
  Mbarriers &mbarriers = warp.cta.mbarriers();
  eachLane(lanes, [&](unsigned lane) {
    uint64_t address = objectAddress(warp, inst, lane);
    uint32_t operand = warp.row(inst.s[0])[lane];
    auto operation = Operation(inst.option);
    switch (operation) {
    case Operation::Init:
      return mbarriers.init(warp, lane, address, operand);
    case Operation::Invalidate:
      return mbarriers.invalidate(warp, lane, address);
    case Operation::Expect:
      return mbarriers.expect(warp, lane, address, operand);
    case Operation::Complete:
      return mbarriers.expect(warp, lane, address, -int64_t(operand));
    default: {
      // `immediate`: the operand is a number of bytes, not of arrivals.
      uint64_t token = mbarriers.arrive(warp, lane, address, inst.immediate ? 1 : operand, inst.immediate ? operand : 0,
                                        operation == Operation::ArriveDrop);
      warp.wide(inst.d[0])[lane] = token;
    }
    }
  });
}

/// try_wait may give up early: one time in four it does, so that code which does not try again is found out; else the
/// lanes wait and repeat it. test_wait answers at once.
void wait(Warp &warp, const Inst &inst, uint32_t lanes) {
  Mbarriers &mbarriers = warp.cta.mbarriers();
  bool parity = inst.immediate != 0,
       timesOut = Operation(inst.option) == Operation::Test || !warp.cta.random().below(4);
  uint32_t done = 0;
  eachLane(lanes, [&](unsigned lane) {
    uint64_t expected = parity ? warp.row(inst.s[0])[lane] : warp.wide(inst.s[0])[lane];
    done |= uint32_t(mbarriers.test(warp, lane, objectAddress(warp, inst, lane), expected, parity)) << lane;
  });
  uint32_t waiting = lanes & ~done;
  if (waiting && !timesOut) {
    eachLane(waiting, [&](unsigned lane) { mbarriers.wait(warp, lane, objectAddress(warp, inst, lane), parity); });
    warp.block(waiting);
    warp.repeat(waiting);
  } else if (waiting) {
    warp.yield(waiting);
    warp.cta.noteSpin();
  }
  uint32_t &p = warp.predicate(inst.d[0]);
  p = (p & ~lanes) | done;
}

void takeSemantics(Build &build) {
  for (std::string_view word : {"release", "acquire", "relaxed", "cta", "cluster"})
    build.take(word);
}

void decodeWait(Build &build, Operation operation) {
  Inst &inst = build.inst;
  inst.immediate = build.take("parity");
  build.expectCount(3, 4); // a time limit may follow
  inst.option = uint32_t(operation);
  inst.flow = Flow::Wait;
  inst.d[0] = build.write(0, Scalar::Pred);
  inst.s[0] = build.read(2, inst.immediate ? Scalar::U32 : Scalar::U64);
  inst.execute = wait;
}

void decodeArrive(Build &build, Operation operation) {
  Inst &inst = build.inst;
  inst.immediate = build.take("expect_tx");
  build.take("noComplete");
  size_t first = build.operand(0).kind == Operand::Address ? 0 : 1;
  build.expectCount(first + 1 + (inst.immediate != 0), first + 2);
  inst.option = uint32_t(operation);
  if (first) // without, the token goes to the scratch row
    inst.d[0] = build.write(0, Scalar::B64);
  inst.s[0] = build.count() > first + 1 ? build.read(first + 1, Scalar::U32) : build.constant(1, 4);
  inst.execute = change;
}

void decodePendingCount(Build &build) {
  Inst &inst = build.inst;
  build.expectCount(2, 2);
  inst.d[0] = build.write(0, Scalar::U32);
  inst.s[0] = build.read(1, Scalar::B64);
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    Source<uint64_t> token(warp, inst.s[0]);
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return Mbarriers::pendingOf(token[i]); });
  };
}

void decodeMbarrier(Build &build) {
  constexpr std::pair<std::string_view, Operation> names[] = {
      {"init", Operation::Init},        {"inval", Operation::Invalidate},
      {"arrive", Operation::Arrive},    {"arrive_drop", Operation::ArriveDrop},
      {"expect_tx", Operation::Expect}, {"complete_tx", Operation::Complete},
      {"test_wait", Operation::Test},   {"try_wait", Operation::Try}};
  std::string_view name = build.takeNext();
  takeSemantics(build);
  Space space = build.takeSpace();
  build.take("b64");
  if (name == "pending_count")
    return decodePendingCount(build);
  const auto *found =
      std::find_if(std::begin(names), std::end(names), [&](auto &entry) { return entry.first == name; });
  if (found == std::end(names))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  Operation operation = found->second;
  size_t object = 0;
  if (operation == Operation::Test || operation == Operation::Try) {
    decodeWait(build, operation);
    object = 1;
  } else if (operation == Operation::Arrive || operation == Operation::ArriveDrop) {
    decodeArrive(build, operation);
    object = build.operand(0).kind == Operand::Address ? 0 : 1;
  } else {
    size_t operands = operation == Operation::Invalidate ? 1 : 2;
    build.expectCount(operands, operands);
    build.inst.option = uint32_t(operation);
    build.inst.s[0] = operands == 2 ? build.read(1, Scalar::U32) : 0;
    build.inst.execute = change;
  }
  build.address(0, build.operand(object), space);
}
} // namespace

void addMbarrierForms(FormTable &table) { table["mbarrier"] = decodeMbarrier; }

} // namespace sattn::ptx
