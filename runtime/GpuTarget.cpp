// Compute capabilities (GpuTarget.h). Compatibility of targets: PTX ISA, directive .target.
#include "runtime/GpuTarget.h"

#include <charconv>

namespace sattn::rt {

/// The number behind "sm_" (80, 120) and whether an 'a' follows it.
static bool parse(std::string_view name, int &number, bool &exact) {
  constexpr std::string_view prefix = "sm_";
  if (!name.starts_with(prefix))
    return false;
  name.remove_prefix(prefix.size());
  exact = name.ends_with('a');
  if (exact)
    name.remove_suffix(1);
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() && (name.size() == 2 || name.size() == 3) &&
         number >= 0;
}

bool isGpuTarget(std::string_view name) {
  int number;
  bool exact;
  return parse(name, number, exact);
}

static int numberOf(ComputeCapability device) { return device.major * 10 + device.minor; }

bool runsOn(std::string_view target, ComputeCapability device) {
  int number;
  bool exact;
  return parse(target, number, exact) && (exact ? number == numberOf(device) : number <= numberOf(device));
}

const char *nearestGpuTarget(ComputeCapability device) {
  static const char *const best[] = {"sm_120a", "sm_100a", "sm_90a", "sm_90", "sm_89", "sm_86", "sm_80"};
  for (const char *target : best)
    if (runsOn(target, device))
      return target;
  return "";
}

bool parseCudaTarget(std::string_view name, int &ordinal) {
  ordinal = 0;
  if (name == "cuda")
    return true;
  constexpr std::string_view prefix = "cuda:";
  if (!name.starts_with(prefix))
    return false;
  name.remove_prefix(prefix.size());
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), ordinal);
  return !name.empty() && error == std::errc() && end == name.data() + name.size() && ordinal >= 0 && name[0] != '+';
}

} // namespace sattn::rt
