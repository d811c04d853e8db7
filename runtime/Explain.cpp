// Text for people (Explain.h); its layout is not an interface, the manifest is.
#include "runtime/Explain.h"

#include "runtime/Launch.h"

#include <fmt/format.h>

#include <iterator>

namespace sattn::rt {

namespace {

void operandLines(const char *title, const std::vector<Operand> &operands, std::string &out) {
  for (const Operand &operand : operands)
    fmt::format_to(std::back_inserter(out), "{:<10}{}: {}[{}]\n", title, operand.name, dtypeName(operand.dtype),
                   operand.axisList());
}

std::string orderText(const Step &step) {
  std::string text;
  for (OrderedAxis axis : step.order)
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", axis.reversed ? "-" : "", "xyz"[axis.axis]);
  return text;
}

void stepLines(const Manifest &m, const std::vector<Step> &steps, int depth, std::string &out) {
  for (const Step &step : steps) {
    std::string indent(static_cast<size_t>(depth) * 2, ' ');
    auto line = std::back_inserter(out);
    if (step.kind == Step::Kind::Kernel) {
      fmt::format_to(line, "{}{}: kernel {} ({} arguments, order {}, scratch {} bytes a thread)\n", indent, step.where,
                     m.kernels[step.kernel].name, step.args.size(), orderText(step), m.kernels[step.kernel].scratch);
      continue;
    }
    if (step.kind == Step::Kind::Loop)
      fmt::format_to(line, "{}{}: loop over {}\n", indent, step.where, m.symbols.name(step.variable));
    else
      fmt::format_to(line, "{}{}: if\n", indent, step.where);
    stepLines(m, step.body, depth + 1, out);
  }
}

/// Collects the steps that a call reaches, and runs none.
struct StepList final : StepObserver {
  explicit StepList(const Manifest &manifest) : m(manifest) {}

  bool step(const Step &step, const int64_t (&grid)[3]) override {
    if (++count <= shown)
      fmt::format_to(std::back_inserter(text), "  {}: {} {} x {} x {} tasks\n", step.where, m.kernels[step.kernel].name,
                     grid[0], grid[1], grid[2]);
    return false;
  }

  static constexpr int shown = 64;
  const Manifest &m;
  std::string text;
  int count = 0;
};

Status callLines(const Kernel &kernel, RunState &state, std::string &out) {
  const Manifest &m = kernel.manifest();
  out += "this call\n ";
  for (int symbol = 0; symbol < m.symbols.size(); ++symbol)
    if (m.symbols.find(m.symbols.name(symbol)) == symbol) // not a loop variable
      fmt::format_to(std::back_inserter(out), " {}={}", m.symbols.name(symbol), state.values[symbol]);
  out += "\n";
  for (size_t i = 0; i < m.workspaces.size(); ++i)
    fmt::format_to(std::back_inserter(out), "  workspace {}: {} bytes at {}\n", m.workspaces[i].name,
                   state.workspaceBytes[i], state.workspaceOffsets[i]);
  fmt::format_to(std::back_inserter(out), "  workspace in all: {} bytes\n", state.workspaceTotal);
  StepList list(m);
  SATTN_TRY(launch(kernel, state, nullptr, 1, &list));
  out += list.text;
  if (list.count > StepList::shown)
    fmt::format_to(std::back_inserter(out), "  and {} more steps\n", list.count - StepList::shown);
  return success();
}

} // namespace

Status explainKernel(const Kernel &kernel, RunState *state, std::string &out) {
  const Manifest &m = kernel.manifest();
  out = fmt::format("{:<10}{}\n{:<10}{}\n{:<10}{}\n{:<10}{}\n{:<10}{}\n", "pattern", m.name, "bind", m.request.bind,
                    "target", m.request.target, "build", m.build, "key", kernel.keyText());
  operandLines("role", m.roles, out);
  operandLines("result", m.results, out);
  for (const Param &param : m.params) {
    std::string value = param.isFloat ? fmt::format("{}", param.floatDefault) : fmt::format("{}", param.intDefault);
    fmt::format_to(std::back_inserter(out), "{:<10}{}: {}{}\n", "param", param.name, param.isFloat ? "float" : "int",
                   param.hasDefault ? " = " + value : "");
  }
  out += "plan\n";
  stepLines(m, m.steps, 1, out);
  if (!m.explain.empty())
    out += "facts\n" + m.explain + "\n";
  return state ? callLines(kernel, *state, out) : success();
}

} // namespace sattn::rt
