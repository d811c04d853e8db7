// A loaded kernel: manifest, code, and the strings that the C interface shows of it. Reference-counted by hand, because
// the memory cache hands it out without a lock while it holds a reference itself.
#pragma once

#include "runtime/Device.h"
#include "runtime/Engine.h"
#include "runtime/Loader.h"
#include "runtime/Manifest.h"

#include <atomic>
#include <memory>

namespace sattn::rt {

class Kernel {
public:
  /// Begins with one reference.
  Kernel(std::shared_ptr<Engine> engine, Manifest manifest, std::unique_ptr<LoadedCode> code);
  Kernel(std::shared_ptr<Engine> engine, Manifest manifest, std::unique_ptr<DeviceCode> code);

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  void release();

  Engine &engine() const { return *runEngine; }
  const Manifest &manifest() const { return theManifest; }
  KernelFunction function(int kernel) const { return code->function(kernel); }
  DeviceCode *device() const { return deviceCode.get(); } ///< null: the code is the CPU's
  const std::string &keyText() const { return key; }

  /// A role or result with the arrays of sattn_operand_info.
  struct OperandNames {
    std::vector<const char *> axes;
    std::vector<int64_t> sizes;
  };
  const OperandNames &roleNames(size_t index) const { return roles[index]; }
  const OperandNames &resultNames(size_t index) const { return results[index]; }

private:
  Kernel(std::shared_ptr<Engine> engine, Manifest manifest);
  ~Kernel() = default;

  std::atomic<int64_t> references{1};
  std::shared_ptr<Engine> runEngine;
  Manifest theManifest;
  std::unique_ptr<LoadedCode> code;
  std::unique_ptr<DeviceCode> deviceCode;
  std::string key;
  std::vector<OperandNames> roles, results;
};

} // namespace sattn::rt
