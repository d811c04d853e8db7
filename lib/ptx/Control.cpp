// bra, exit, ret, trap, barriers of block and warp, fences, and what needs no execution.
#include "lib/ptx/Cta.h"
#include "lib/ptx/DecoderScope.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
void decodeBranch(Build &build) {
  build.take("uni");
  build.expectCount(1, 1);
  const Operand &target = build.operand(0);
  const Binding *binding = target.kind == Operand::Name ? build.owner().lookUp(target.name) : nullptr;
  if (!binding || binding->kind != Binding::Label)
    return build.reject(fmt::format("'{}' is not a label", target.name));
  build.inst.flow = Flow::Branch;
  build.inst.target = binding->label;
}

/// brx.idx index, table.
void decodeBranchTable(Build &build) {
  build.take("uni");
  build.expectCount(2, 2);
  const Operand &name = build.operand(1);
  const Binding *binding = name.kind == Operand::Name ? build.owner().lookUp(name.name) : nullptr;
  if (!build.take("idx") || !binding || binding->kind != Binding::Table)
    return build.reject(fmt::format("'{}' needs a list of '.branchtargets'", build.source.opcode));
  std::vector<Row> targets;
  for (std::string_view target : *binding->table) {
    const Binding *label = build.owner().lookUp(target);
    if (!label || label->kind != Binding::Label)
      return build.reject(fmt::format("'{}' is not a label", target));
    targets.push_back(label->label);
  }
  build.inst.list[0] = build.rowsOf(std::move(targets));
  build.inst.s[0] = build.read(0, Scalar::U32);
  build.inst.flow = Flow::Table;
}

void decodeExit(Build &build) {
  build.take("uni");
  build.expectCount(0, 0);
  build.inst.flow = Flow::Exit;
}

void decodeTrap(Build &build) {
  build.expectCount(0, 0);
  build.inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) {
    warp.fault(FaultKind::Trap, unsigned(std::countr_zero(lanes)), [] { return std::string("the kernel trapped"); });
    warp.cta.launch().stopped = true;
  };
}

/// bar.sync a {, b}; bar.arrive a, b; bar.red.op d, a {, b}, c.
void enterBarrier(Warp &warp, const Inst &inst, uint32_t lanes) {
  auto lane = unsigned(std::countr_zero(lanes));
  Barriers::Arrival arrival;
  arrival.id = warp.row(inst.s[0])[lane];
  arrival.expected = inst.count ? warp.row(inst.s[1])[lane] : 0;
  arrival.waits = inst.option != 1;
  arrival.aligned = inst.converge != Converge::None;
  arrival.reduction = BarrierReduction(inst.immediate);
  if (arrival.reduction != BarrierReduction::None) {
    arrival.result = inst.d[0];
    arrival.predicates = warp.predicate(inst.s[2]) ^ (inst.saturate ? ~uint32_t(0) : 0);
  }
  warp.cta.barriers().arrive(warp, lanes, arrival);
}

void decodeBarrier(Build &build) {
  Inst &inst = build.inst;
  if (build.take("cluster"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  if (build.take("warp")) {
    build.take("sync");
    build.expectCount(1, 1);
    inst.s[0] = build.read(0, Scalar::B32);
    inst.converge = Converge::Members;
    inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.synchronise(lanes); };
    return;
  }
  build.take("cta");
  bool aligned = build.take("aligned") || build.base == "bar";
  bool arrive = build.take("arrive"), reduce = build.take("red");
  build.take("sync");
  size_t next = 0;
  if (reduce) {
    inst.immediate = uint64_t(build.take("popc")  ? BarrierReduction::Popc
                              : build.take("and") ? BarrierReduction::And
                              : build.take("or")  ? BarrierReduction::Or
                                                  : BarrierReduction::None);
    bool count = BarrierReduction(inst.immediate) == BarrierReduction::Popc;
    if (build.type() != (count ? Scalar::U32 : Scalar::Pred) || !inst.immediate)
      return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
    inst.d[0] = build.write(next++, count ? Scalar::U32 : Scalar::Pred);
  }
  build.expectCount(next + 1 + reduce + arrive, next + 2 + reduce);
  inst.count = build.count() == next + 2 + reduce;
  inst.s[0] = build.read(next++, Scalar::U32);
  if (inst.count)
    inst.s[1] = build.read(next++, Scalar::U32);
  bool negated = false;
  if (reduce)
    inst.s[2] = build.readPredicate(build.operand(next), negated);
  inst.saturate = negated;
  inst.option = arrive;
  inst.flow = Flow::Barrier;
  inst.converge = aligned ? Converge::Live : Converge::None;
  inst.execute = enterBarrier;
}

/// Memory fences order nothing that the happens-before of barriers does not; the proxy fence is checked.
void decodeFence(Build &build) {
  if (build.take("proxy")) {
    bool async = build.take("async") || build.take("async::generic");
    if (build.take("tensormap::generic"))
      return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
    while (!build.takeNext().empty()) {
    }
    if (async)
      build.inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.proxyFence(lanes); };
    return;
  }
  if (build.take("mbarrier_init")) {
    while (!build.takeNext().empty()) {
    }
    build.inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.proxyFence(lanes); };
    return;
  }
  for (std::string_view word : {"sc", "acq_rel", "acquire", "release", "cta", "gpu", "sys", "cluster", "gl"})
    build.take(word);
}

void decodeNothing(Build &build) {
  while (!build.takeNext().empty()) {
  }
}
} // namespace

void addControlForms(FormTable &table) {
  table["bra"] = decodeBranch;
  table["brx"] = decodeBranchTable;
  table["exit"] = table["ret"] = decodeExit;
  table["trap"] = decodeTrap;
  table["bar"] = table["barrier"] = decodeBarrier;
  table["fence"] = table["membar"] = decodeFence;
  table["griddepcontrol"] = table["pmevent"] = table["brkpt"] = decodeNothing;
}

} // namespace sattn::ptx
