// Tensors of which GPU kernels copy boxes (TMA), as a device has to encode them for a launch.
#pragma once

#include "runtime/Manifest.h"

#include "sattn/sattn.h"

#include <vector>

namespace sattn::rt {

/// Fills `maps` for a launch whose arguments stand in `frame`. An error names the operand that TMA cannot reach.
Status describeTensors(const Manifest &manifest, const Step &step, const std::vector<int64_t> &frame,
                       std::vector<sattn_tensor_map> &maps);

} // namespace sattn::rt
