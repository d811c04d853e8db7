// Memory of the simulated driver: allocations with undefined contents, copies, pools.
#include "test/cuda-sim/Simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sattn::rt::cuda {

Address Simulation::allocate(int ordinal, size_t bytes) {
  SimulatedDevice &device = *devices[ordinal];
  if (bytes == 0 || bytes > device.bytes - device.used)
    return 0;
  std::vector<std::byte> memory(bytes, std::byte(0xff)); // NaN: what nobody wrote is seen on the host too
  Address address = device.memory.add(fmt::format("allocation of {} bytes", bytes), memory, ptx::Contents::Undefined);
  // Devices have addresses of their own, each in a range far from the others'.
  address += Address(ordinal) << 40;
  allocations.emplace(address, Allocation{std::move(memory), ordinal});
  device.used += bytes;
  return address;
}

bool Simulation::release(Address address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return false;
  SimulatedDevice &device = *devices[found->second.device];
  device.used -= found->second.bytes.size();
  device.memory.memory().remove(address - (Address(found->second.device) << 40));
  allocations.erase(found);
  return true;
}

std::pair<Allocation *, size_t> Simulation::find(Address address, size_t bytes) {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return {nullptr, 0};
  auto &[base, allocation] = *std::prev(after);
  size_t offset = address - base;
  if (offset > allocation.bytes.size() || bytes > allocation.bytes.size() - offset)
    return {nullptr, 0};
  return {&allocation, offset};
}

/// From now on kernels may read these bytes.
static void define(Simulation &simulation, Allocation &allocation, Address address, size_t bytes) {
  Address own = address - (Address(allocation.device) << 40);
  ptx::Allocation *known = simulation.devices[allocation.device]->memory.memory().find(own, bytes);
  if (known && !known->defined.empty())
    std::fill_n(known->defined.begin() + static_cast<long>(own - known->address), bytes, 1);
}

CUSIM(cuMemAlloc_v2(Address *address, size_t bytes)) {
  Call call("cuMemAlloc_v2");
  if (Result refused = call.whileNothingIsCaptured())
    return refused;
  if (!call->current())
    return InvalidContext;
  *address = call->allocate(call->current()->device, bytes);
  return *address ? Success : bytes ? OutOfMemory : InvalidValue;
}

CUSIM(cuMemFree_v2(Address address)) {
  Call call("cuMemFree_v2");
  if (call->breaksCapture())
    return StreamCaptureUnsupported;
  Result result = call->drain();
  return call->release(address) ? result : InvalidValue;
}

/// Where a copy by the host finds `bytes` at `address`, once everything before it is done.
static Result locate(Call &call, Address address, size_t bytes, Allocation *&allocation, std::byte *&place) {
  if (Result refused = call.whileNothingIsCaptured())
    return refused;
  if (Result result = call->drain())
    return result;
  auto [found, offset] = call->find(address, bytes);
  if (!found)
    return InvalidValue;
  allocation = found;
  place = found->bytes.data() + offset;
  return Success;
}

CUSIM(cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes)) {
  Call call("cuMemcpyHtoD_v2");
  Allocation *allocation = nullptr;
  std::byte *place = nullptr;
  if (Result result = locate(call, to, bytes, allocation, place))
    return result;
  std::memcpy(place, from, bytes);
  define(Simulation::get(), *allocation, to, bytes);
  return Success;
}

CUSIM(cuMemcpyDtoH_v2(void *to, Address from, size_t bytes)) {
  Call call("cuMemcpyDtoH_v2");
  Allocation *allocation = nullptr;
  std::byte *place = nullptr;
  if (Result result = locate(call, from, bytes, allocation, place))
    return result;
  std::memcpy(to, place, bytes);
  return Success;
}

CUSIM(cuMemPoolCreate(MemoryPool *pool, const MemoryPoolProperties *properties)) {
  Call call("cuMemPoolCreate");
  if (!call)
    return call.error();
  if (!call->pools || properties->allocationType != 1 || properties->locationType != 1 || properties->locationId < 0 ||
      static_cast<size_t>(properties->locationId) >= call->devices.size())
    return InvalidValue;
  *pool = new MemoryPoolObject{properties->locationId};
  ++call->objects;
  return Success;
}

CUSIM(cuMemPoolDestroy(MemoryPool pool)) {
  Call call("cuMemPoolDestroy");
  delete pool;
  --call->objects;
  return call.error();
}

CUSIM(cuMemPoolSetAttribute(MemoryPool pool, Attribute attribute, void *value)) {
  Call call("cuMemPoolSetAttribute");
  return pool && attribute == ReleaseThreshold && value ? call.error() : InvalidValue;
}

/// Memory of a graph is allocated at once and stays, which a graph may do.
CUSIM(cuMemAllocFromPoolAsync(Address *address, size_t bytes, MemoryPool pool, Stream handle)) {
  Call call("cuMemAllocFromPoolAsync");
  if (!call)
    return call.error();
  if (call->lost != Success)
    return call->lost;
  StreamObject *stream = call->streamOf(handle);
  bool isCaptured = stream && stream->capture;
  if (!isCaptured && !stream && call->breaksCapture())
    return StreamCaptureImplicit;
  *address = call->allocate(pool->device, bytes);
  if (!*address)
    return bytes ? OutOfMemory : InvalidValue;
  call->allocations[*address].graphOwned = isCaptured;
  if (isCaptured)
    stream->capture->memory.push_back(*address);
  return Success;
}

CUSIM(cuMemFreeAsync(Address address, Stream handle)) {
  Call call("cuMemFreeAsync");
  auto [allocation, offset] = call->find(address, 0);
  if (!allocation || offset)
    return InvalidValue;
  if (allocation->graphOwned)
    return call.error();
  Simulation &simulation = Simulation::get();
  return call->issue(handle, [&simulation, address] { return simulation.release(address) ? Success : InvalidValue; });
}

} // namespace sattn::rt::cuda
