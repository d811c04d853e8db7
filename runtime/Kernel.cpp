// Life of kernels and the arrays of their introspection (Kernel.h).
#include "runtime/Kernel.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace sattn::rt {

int availableThreads() {
  cpu_set_t set;
  long count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<int>(std::clamp<long>(count, 1, maxThreads));
}

static std::vector<Kernel::OperandNames> namesOf(const std::vector<Operand> &operands) {
  std::vector<Kernel::OperandNames> all;
  for (const Operand &operand : operands) {
    Kernel::OperandNames names;
    if (operand.batched) {
      names.axes.push_back(operand.page != 0 ? "pages" : "B");
      names.sizes.push_back(-1);
    }
    for (const Axis &axis : operand.axes) {
      names.axes.push_back(axis.name.c_str());
      bool isPage = operand.page != 0 && axis.kind == AxisKind::Position;
      names.sizes.push_back(isPage ? operand.page : axis.size);
    }
    all.push_back(std::move(names));
  }
  return all;
}

Kernel::Kernel(std::shared_ptr<Engine> engine, Manifest manifest, std::unique_ptr<LoadedCode> loaded)
    : Kernel(std::move(engine), std::move(manifest)) {
  code = std::move(loaded);
}

Kernel::Kernel(std::shared_ptr<Engine> engine, Manifest manifest, std::unique_ptr<DeviceCode> loaded)
    : Kernel(std::move(engine), std::move(manifest)) {
  deviceCode = std::move(loaded);
}

Kernel::Kernel(std::shared_ptr<Engine> engine, Manifest manifest)
    : runEngine(std::move(engine)), theManifest(std::move(manifest)),
      key(makeKey(theManifest.request, theManifest.build).text()), roles(namesOf(theManifest.roles)),
      results(namesOf(theManifest.results)) {}

void Kernel::release() {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

} // namespace sattn::rt
