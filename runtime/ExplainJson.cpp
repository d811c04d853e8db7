// The form of Explain.h for tools.
#include "runtime/CallReport.h"
#include "runtime/Explain.h"

#include <nlohmann/json.hpp>

namespace sattn::rt {

using json = nlohmann::ordered_json;

// Counts are whole numbers below 2^63; larger ones stay floating-point numbers.
static json wholeNumber(double number) {
  return number < 0x1p63 ? json(static_cast<int64_t>(number + 0.5)) : json(number);
}

static json streamJson(const StreamCount &stream) {
  json fields = {{"kernel", stream.kernel}};
  if (stream.line > 0)
    fields["line"] = stream.line;
  if (!stream.keys.empty())
    fields["keys"] = stream.keys;
  if (stream.rows > 0)
    fields["tile"] = {stream.rows, stream.columns};
  if (!stream.unknown.empty()) {
    fields["unknown"] = stream.unknown;
    return fields;
  }
  if (stream.isExact) {
    fields["visited"] = wholeNumber(stream.visited);
    fields["full"] = wholeNumber(stream.full);
    fields["partial"] = wholeNumber(stream.visited - stream.full);
  } else {
    fields["depends_on"] = "the selection";
    fields["at_most"] = wholeNumber(stream.visited);
  }
  fields["sampled"] = stream.isSampled;
  return fields;
}

static json callJson(const CallReport &report, const Manifest &m) {
  json call = {{"sizes", json::object()},
               {"workspace_bytes", report.workspaceBytes},
               {"workspaces", json::array()},
               {"launches", json::array()},
               {"tiles", json::array()}};
  for (const auto &[name, value] : report.sizes)
    call["sizes"][name] = value;
  for (const CallReport::Space &space : report.workspaces)
    call["workspaces"].push_back({{"name", space.name}, {"bytes", space.bytes}, {"offset", space.offset}});
  for (const CallReport::Launches &launches : report.launches)
    call["launches"].push_back({{"step", launches.step},
                                {"kernel", m.kernels[launches.kernel].name},
                                {"grid", launches.grid},
                                {"count", launches.count},
                                {"tasks", wholeNumber(launches.tasks)},
                                {"scratch", m.kernels[launches.kernel].scratch}});
  for (const StreamCount &stream : report.streams)
    call["tiles"].push_back(streamJson(stream));
  return call;
}

Status explainKernelJson(const Kernel &kernel, RunState *state, std::string &out) {
  const Manifest &m = kernel.manifest();
  json report = {{"name", m.name},   {"bind", m.request.bind},  {"target", m.request.target},
                 {"build", m.build}, {"key", kernel.keyText()}, {"kernels", json::array()}};
  for (const KernelInfo &info : m.kernels)
    report["kernels"].push_back({{"kernel", info.name}, {"scratch", info.scratch}});
  json facts = json::parse(m.explain.empty() ? "{}" : m.explain, nullptr, false);
  for (const char *name : {"choices", "kernels"})
    if (facts.is_object() && facts.contains(name))
      report[std::string(name) == "kernels" ? "fusion" : "choices"] = facts[name];
  if (state) {
    CallReport call;
    SATTN_TRY(reportCall(kernel, *state, call));
    report["call"] = callJson(call, m);
  }
  out = report.dump(-1, ' ', false, json::error_handler_t::replace);
  return success();
}

} // namespace sattn::rt
