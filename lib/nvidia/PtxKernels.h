// PTX text taken apart by kernels, so that machine code of each is made on a thread of its own.
#pragma once

#include <string>
#include <vector>

namespace sattn::nvidia {

struct PtxKernel {
  std::string name;
  std::string text; ///< a module of it alone
};

/// The kernels of `ptx` in its order. Empty where a module holds more than kernels and shared memory that the launch
/// sizes: functions and variables would have to be the same in all modules.
std::vector<PtxKernel> kernelsOf(const std::string &ptx);

} // namespace sattn::nvidia
