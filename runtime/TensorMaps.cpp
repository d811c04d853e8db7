// From the slots of a view to the description of its tensor map; see TensorMaps.h.
#include "runtime/TensorMaps.h"

#include <algorithm>

namespace sattn::rt {

static constexpr int64_t countLimit = int64_t(1) << 32, strideLimit = int64_t(1) << 40, strideUnit = 16;

// `view`: address, then counts and strides (in elements) of batch, position, head.
// NVIDIA does not say what a stride of 0 does in a map. Of an axis with one entry for all, heads or batch, the map has
// that entry, and kernels ask for it alone; positions are copied many at a time and need a stride.
static bool describe(const TensorMapInfo &info, const int64_t *view, sattn_tensor_map &map) {
  constexpr int slotOf[3] = {1, 2, 0}; // positions, heads, batch
  map = {};
  map.counts[0] = info.inner;
  map.box[0] = static_cast<int32_t>(info.box[0]);
  map.box[1] = static_cast<int32_t>(info.box[1]);
  map.box[2] = map.box[3] = 1;
  map.element_bytes = static_cast<int32_t>(info.bytes);
  map.swizzle_bytes = 128;
  bool empty = false;
  for (int axis = 0; axis < 3; ++axis) {
    int64_t count = view[1 + slotOf[axis]], stride = view[4 + slotOf[axis]];
    empty |= count == 0;
    bool isOne = count <= 1 || (stride == 0 && axis != 0);
    if (count >= countLimit || (!isOne && (stride <= 0 || stride >= strideLimit / info.bytes)))
      return false;
    // Of a single entry the stride is never used, but has to be one.
    map.counts[1 + axis] = isOne ? 1 : count;
    map.strides[axis] = isOne ? strideUnit : stride * info.bytes;
  }
  if (!empty)
    map.base = reinterpret_cast<void *>(static_cast<intptr_t>(view[0]));
  return true;
}

Status describeTensors(const Manifest &manifest, const Step &step, const std::vector<int64_t> &frame,
                       std::vector<sattn_tensor_map> &maps) {
  const KernelInfo &kernel = manifest.kernels[static_cast<size_t>(step.kernel)];
  maps.clear();
  for (const TensorMapInfo &info : kernel.maps) {
    size_t first = 0;
    for (size_t i = 0; i < static_cast<size_t>(info.arg); ++i)
      first += static_cast<size_t>(step.args[i].slots());
    if (describe(info, frame.data() + first, maps.emplace_back()))
      continue;
    const KernelArg &arg = step.args[static_cast<size_t>(info.arg)];
    std::string name = arg.kind == KernelArg::Kind::Role     ? manifest.roles[static_cast<size_t>(arg.index)].name
                       : arg.kind == KernelArg::Kind::Result ? manifest.results[static_cast<size_t>(arg.index)].name
                                                             : manifest.workspaces[static_cast<size_t>(arg.index)].name;
    return fail<Err::DeviceStride>(name, manifest.request.target);
  }
  return success();
}

} // namespace sattn::rt
