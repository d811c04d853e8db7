// Text for people (Explain.h); its layout is not an interface, the manifest is. ExplainJson.cpp has the form for tools.
#include "runtime/Explain.h"

#include "runtime/CallReport.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>
#include <string_view>

namespace sattn::rt {

using nlohmann::json;

namespace {

template <typename... Args> void print(std::string &out, fmt::format_string<Args...> format, Args &&...args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

// 1234567 as 1,234,567.
std::string grouped(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (size_t at = digits.size(); at > 3; at -= 3)
    digits.insert(at - 3, ",");
  return digits;
}

// A fact that should be there, or a default: the explain part of a manifest is free-form.
std::string textOf(const json &fields, const char *name) {
  auto found = fields.is_object() ? fields.find(name) : fields.end();
  return found != fields.end() && found->is_string() ? found->get<std::string>() : std::string();
}
double numberOf(const json &fields, const char *name, double otherwise) {
  auto found = fields.is_object() ? fields.find(name) : fields.end();
  return found != fields.end() && found->is_number() ? found->get<double>() : otherwise;
}
const json &listOf(const json &fields, const char *name) {
  static const json none = json::array();
  auto found = fields.is_object() ? fields.find(name) : fields.end();
  return found != fields.end() && found->is_array() ? *found : none;
}

/// Writes the facts of one kernel.
class Explainer {
public:
  Explainer(const Kernel &kernel, std::string &out) : m(kernel.manifest()), out(out) {
    facts = json::parse(m.explain.empty() ? "{}" : m.explain, nullptr, false);
    if (!facts.is_object())
      facts = json::object();
    print(out, "{:<10}{}\n{:<10}{}\n{:<10}{}\n{:<10}{}\n{:<10}{}\n", "pattern", m.name, "bind", m.request.bind,
          "target", m.request.target, "build", m.build, "key", kernel.keyText());
    operandLines("role", m.roles);
    operandLines("result", m.results);
    paramLines();
  }

  void planLines() {
    out += "plan\n";
    stepLines(m.steps, 1);
  }
  void kernelLines();
  void choiceLines();
  void otherFacts();
  Status callLines(const Kernel &kernel, RunState &state);

private:
  void operandLines(const char *title, const std::vector<Operand> &operands) {
    for (const Operand &operand : operands)
      print(out, "{:<10}{}: {}[{}]\n", title, operand.name, dtypeName(operand.dtype), operand.axisList());
  }
  void paramLines();
  void stepLines(const std::vector<Step> &steps, int depth);
  void choice(const json &fields);
  void streamLine(const StreamCount &stream);
  std::string sourceLine(int64_t line) const;

  const Manifest &m;
  std::string &out;
  json facts;
};

void Explainer::paramLines() {
  for (const Param &param : m.params) {
    std::string value = param.isFloat ? fmt::format("{}", param.floatDefault) : fmt::format("{}", param.intDefault);
    print(out, "{:<10}{}: {}{}\n", "param", param.name, param.isFloat ? "float" : "int",
          param.hasDefault ? " = " + value : "");
  }
}

//===-- The plan ------------------------------------------------------------------------------------------------===//

std::string orderText(const Step &step) {
  std::string text;
  for (OrderedAxis axis : step.order)
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", axis.reversed ? "-" : "", "xyz"[axis.axis]);
  return text;
}

void Explainer::stepLines(const std::vector<Step> &steps, int depth) {
  for (const Step &step : steps) {
    std::string indent(static_cast<size_t>(depth) * 2, ' ');
    if (step.kind == Step::Kind::Kernel) {
      const KernelInfo &info = m.kernels[step.kernel];
      std::string needs = info.threads == 0
                              ? fmt::format("scratch {} bytes a thread", grouped(static_cast<double>(info.scratch)))
                              : fmt::format("blocks of {} threads, {} bytes of shared memory", info.threads,
                                            grouped(static_cast<double>(info.shared)));
      print(out, "{}{}: kernel {} ({} arguments, order {}, {})\n", indent, step.where, info.name, step.args.size(),
            orderText(step), needs);
      continue;
    }
    if (step.kind == Step::Kind::Loop)
      print(out, "{}{}: loop over {}\n", indent, step.where, m.symbols.name(step.variable));
    else
      print(out, "{}{}: if\n", indent, step.where);
    stepLines(step.body, depth + 1);
  }
}

//===-- The compiler's reasons ----------------------------------------------------------------------------------===//

// A line of the pattern's text without its indentation; "" where there is none.
std::string Explainer::sourceLine(int64_t line) const {
  std::string_view rest = m.request.pattern;
  for (int64_t i = 1; i < line && !rest.empty(); ++i)
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  rest = line > 0 ? rest.substr(0, rest.find('\n')) : std::string_view();
  size_t start = rest.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string() : std::string(rest.substr(start, 120));
}

// Which lines of the pattern a kernel computes.
void Explainer::kernelLines() {
  const json &kernels = listOf(facts, "kernels");
  if (!kernels.empty())
    out += "kernels\n";
  for (const json &kernel : kernels) {
    std::string packs = textOf(kernel, "packs"), does;
    if (!packs.empty())
      does = " brings '" + packs + "' into the target's layout";
    else if (auto lists = static_cast<int64_t>(numberOf(kernel, "lists", 0)); lists > 0)
      does = fmt::format(" turns the lists of line {} into bits", lists);
    print(out, "  {}{}\n", textOf(kernel, "kernel"), does);
    int64_t last = -1;
    for (const json &op : listOf(kernel, "ops")) {
      auto line = static_cast<int64_t>(numberOf(op, "line", 0));
      if (line == 0)
        print(out, "    {}\n", textOf(op, "op"));
      else if (line != last)
        print(out, "    line {:<4}{}\n", line, sourceLine(line));
      last = line;
    }
  }
}

void Explainer::choice(const json &fields) {
  auto line = static_cast<int64_t>(numberOf(fields, "line", 0));
  print(out, "  {}\n", line > 0 ? fmt::format("line {:<4}{}", line, sourceLine(line)) : textOf(fields, "op"));
  print(out, "    kernel   {}\n", textOf(fields, "kernel"));
  auto cost = [](const json &of) {
    double cycles = numberOf(of, "cycles", -1);
    return cycles < 0 ? std::string() : fmt::format(", {} cycles", grouped(cycles));
  };
  print(out, "    chosen   {}{}: {}\n", textOf(fields, "kind"), cost(fields), textOf(fields, "why"));
  for (const json &other : listOf(fields, "refused"))
    print(out, "    refused  {}{}: {}\n", textOf(other, "kind"), cost(other), textOf(other, "why"));
  if (double keys = numberOf(fields, "keys", 0); keys > 0)
    print(out, "    cycles are estimates for one query row and head at {} keys\n", grouped(keys));
  if (double keys = numberOf(fields, "break_even", 0); keys > 0)
    print(out, "    break-even at {} keys: below, computing every key would cost less\n", grouped(keys));
}

void Explainer::choiceLines() {
  const json &choices = listOf(facts, "choices");
  if (!choices.empty())
    out += "dataflow\n";
  for (const json &fields : choices)
    choice(fields);
}

// What else a compiler wrote down.
void Explainer::otherFacts() {
  bool isFirst = true;
  for (const auto &[name, value] : facts.items()) {
    if (name == "kernels" || name == "choices" || name == "streams")
      continue;
    out += isFirst ? "facts\n" : "";
    isFirst = false;
    if (value.is_array())
      for (const json &item : value)
        print(out, "  {}: {}\n", name, item.is_string() ? item.get<std::string>() : item.dump());
    else
      print(out, "  {}: {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

//===-- One call ------------------------------------------------------------------------------------------------===//

void Explainer::streamLine(const StreamCount &stream) {
  std::string name = stream.kernel;
  if (stream.line > 0)
    name += fmt::format(", line {}", stream.line);
  if (!stream.keys.empty())
    name += fmt::format(", {}", stream.keys);
  if (stream.rows > 0)
    name += fmt::format(", {} x {}", stream.rows, stream.columns);
  if (!stream.unknown.empty())
    print(out, "    {:<44} not known: {}\n", name, stream.unknown);
  else if (!stream.isExact)
    print(out, "    {:<44} depends on the selection, at most {}{}\n", name, stream.isSampled ? "about " : "",
          grouped(stream.visited));
  else
    print(out, "    {:<44} {}{} visited, {} full, {} partial\n", name, stream.isSampled ? "about " : "",
          grouped(stream.visited), grouped(stream.full), grouped(stream.visited - stream.full));
}

// "e0", "e1": values that the compiler named because several expressions use them.
bool isTemporary(std::string_view name) {
  return name.size() > 1 && name[0] == 'e' && name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

Status Explainer::callLines(const Kernel &kernel, RunState &state) {
  CallReport report;
  SATTN_TRY(reportCall(kernel, state, report));
  out += "this call\n ";
  for (const auto &[name, value] : report.sizes)
    if (!isTemporary(name))
      print(out, " {}={}", name, value);
  out += "\n";
  for (const CallReport::Space &space : report.workspaces)
    print(out, "  workspace {}: {} bytes at {}\n", space.name, grouped(static_cast<double>(space.bytes)), space.offset);
  print(out, "  workspace in all: {} bytes\n", grouped(static_cast<double>(report.workspaceBytes)));
  for (const CallReport::Launches &launches : report.launches) {
    print(out, "  {}: {} {} x {} x {} tasks", launches.step, m.kernels[launches.kernel].name, launches.grid[0],
          launches.grid[1], launches.grid[2]);
    out += launches.count == 1
               ? "\n"
               : fmt::format(", launched {} times: {} tasks\n", launches.count, grouped(launches.tasks));
  }
  if (!report.streams.empty())
    out += "  key tiles, of rows x keys: a full one needs no mask\n";
  for (const StreamCount &stream : report.streams)
    streamLine(stream);
  return success();
}

} // namespace

Status explainKernel(const Kernel &kernel, RunState *state, std::string &out) {
  out.clear();
  Explainer explainer(kernel, out);
  explainer.planLines();
  explainer.kernelLines();
  explainer.choiceLines();
  explainer.otherFacts();
  return state ? explainer.callLines(kernel, *state) : success();
}

} // namespace sattn::rt
