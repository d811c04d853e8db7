// Our declarations of NVIDIA's driver (runtime/CudaTypes.h, runtime/CudaSymbols.def) against its own header, where a
// toolkit is installed: constants, structures, and the size of every parameter of every function.
#define __CUDA_API_VERSION_INTERNAL // names as they are exported, with their versions
#include <cuda.h>

#include "runtime/CudaTypes.h"

#include <doctest/doctest.h>
#include <cstddef>
#include <vector>

namespace sattn::rt::cuda {
namespace {

struct Ours {
#define SATTN_CUDA(name, symbol, arguments) Result(*name) arguments;
#define SATTN_CUDA_NEWER(name, symbol, arguments) Result(*name) arguments;
#include "runtime/CudaSymbols.def"
};

template <typename... Arguments, typename Result> std::vector<size_t> parameterSizes(Result (*)(Arguments...)) {
  return {sizeof(Arguments)...};
}

TEST_CASE("functions of the driver are declared with its parameters") {
  Ours ours{};
#define SATTN_CUDA(name, symbol, arguments)                                                                            \
  CHECK_MESSAGE(parameterSizes(ours.name) == parameterSizes(decltype (&symbol)(nullptr)), #symbol);
#define SATTN_CUDA_NEWER(name, symbol, arguments) SATTN_CUDA(name, symbol, arguments)
#include "runtime/CudaSymbols.def"
}

TEST_CASE("constants of the driver have its values") {
  auto same = [](auto own, auto theirs) { CHECK(static_cast<long>(own) == static_cast<long>(theirs)); };
  same(Success, CUDA_SUCCESS);
  same(InvalidValue, CUDA_ERROR_INVALID_VALUE);
  same(OutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
  same(NoDevice, CUDA_ERROR_NO_DEVICE);
  same(InvalidDevice, CUDA_ERROR_INVALID_DEVICE);
  same(InvalidContext, CUDA_ERROR_INVALID_CONTEXT);
  same(NoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
  same(InvalidPtx, CUDA_ERROR_INVALID_PTX);
  same(InvalidHandle, CUDA_ERROR_INVALID_HANDLE);
  same(NotFound, CUDA_ERROR_NOT_FOUND);
  same(IllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
  same(LaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
  same(StreamCaptureUnsupported, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  same(StreamCaptureInvalidated, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  same(StreamCaptureImplicit, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  same(MultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  same(ComputeCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  same(ComputeCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  same(MaxSharedMemoryPerBlockOptin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  same(MemoryPoolsSupported, CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
  same(SharedSizeBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  same(LocalSizeBytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  same(NumRegs, CU_FUNC_ATTRIBUTE_NUM_REGS);
  same(MaxDynamicSharedSizeBytes, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  same(ReleaseThreshold, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD);
  same(MapUint8, CU_TENSOR_MAP_DATA_TYPE_UINT8);
  same(MapUint16, CU_TENSOR_MAP_DATA_TYPE_UINT16);
  same(MapUint32, CU_TENSOR_MAP_DATA_TYPE_UINT32);
  same(MapUint64, CU_TENSOR_MAP_DATA_TYPE_UINT64);
  same(MapSwizzle128, CU_TENSOR_MAP_SWIZZLE_128B);
  same(MapPromote128, CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
  same(JitErrorLogBuffer, CU_JIT_ERROR_LOG_BUFFER);
  same(JitErrorLogBufferSizeBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  same(JitInputPtx, CU_JIT_INPUT_PTX);
  same(tensorMapBytes, sizeof(CUtensorMap));
}

TEST_CASE("properties of a memory pool lie where the driver reads them") {
  MemoryPoolProperties ours;
  CHECK(sizeof ours == sizeof(CUmemPoolProps));
  CHECK(offsetof(MemoryPoolProperties, handleTypes) == offsetof(CUmemPoolProps, handleTypes));
  CHECK(offsetof(MemoryPoolProperties, locationType) == offsetof(CUmemPoolProps, location.type));
  CHECK(offsetof(MemoryPoolProperties, locationId) == offsetof(CUmemPoolProps, location.id));
  CHECK(offsetof(MemoryPoolProperties, maxSize) == offsetof(CUmemPoolProps, maxSize));
  CHECK(ours.allocationType == CU_MEM_ALLOCATION_TYPE_PINNED);
  CHECK(ours.locationType == CU_MEM_LOCATION_TYPE_DEVICE);
}

} // namespace
} // namespace sattn::rt::cuda
