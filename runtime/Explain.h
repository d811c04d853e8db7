// Kernels in words: the facts the compiler wrote down and the launch plan, with numbers where a call is given.
#pragma once

#include "runtime/Kernel.h"

namespace sattn::rt {

/// `state` is a bound call (bindCall) or null.
Status explainKernel(const Kernel &kernel, RunState *state, std::string &out);

} // namespace sattn::rt
