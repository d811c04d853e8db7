// The part of NVIDIA's driver interface that the project uses, declared here, so that building needs no toolkit. Names
// of constants are NVIDIA's without their prefix; values and signatures are those of CUDA 11.2, which later drivers
// keep under the same exported names.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sattn::rt::cuda {

using Result = int;        ///< CUresult; 0 is success
using DeviceId = int;      ///< CUdevice
using Address = uint64_t;  ///< CUdeviceptr
using JitOption = int;     ///< CUjit_option
using Attribute = int;     ///< CUdevice_attribute, CUfunction_attribute, CUmemPool_attribute
using CaptureStatus = int; ///< CUstreamCaptureStatus

using Context = struct ContextObject *;
using Module = struct ModuleObject *;
using Function = struct FunctionObject *;
using Stream = struct StreamObject *;
using Event = struct EventObject *;
using LinkState = struct LinkStateObject *;
using MemoryPool = struct MemoryPoolObject *;

enum : Result {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  InvalidHandle = 400,
  NotFound = 500,
  IllegalAddress = 700,
  LaunchFailed = 719,
  StreamCaptureUnsupported = 900,
  StreamCaptureInvalidated = 901,
  StreamCaptureImplicit = 906,
};

enum : Attribute {
  // Of devices.
  MultiprocessorCount = 16,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
  MaxSharedMemoryPerBlockOptin = 97,
  MemoryPoolsSupported = 115,
  // Of functions.
  SharedSizeBytes = 1,
  LocalSizeBytes = 3,
  NumRegs = 4,
  MaxDynamicSharedSizeBytes = 8,
  // Of memory pools.
  ReleaseThreshold = 4,
};

/// Of tensor maps: CUtensorMapDataType by the bytes of an element, CUtensorMapSwizzle, CUtensorMapL2promotion.
enum : int { MapUint8 = 0, MapUint16 = 1, MapUint32 = 2, MapUint64 = 4, MapSwizzle128 = 3, MapPromote128 = 2 };
inline constexpr size_t tensorMapBytes = 128, tensorMapAlignment = 128; ///< CUDA 12 asks for 64, CUDA 13 for 128

enum : JitOption { JitErrorLogBuffer = 5, JitErrorLogBufferSizeBytes = 6 };
enum : int { JitInputPtx = 1 }; ///< CUjitInputType

/// CUmemPoolProps.
struct MemoryPoolProperties {
  int allocationType = 1; ///< pinned, the only one
  int handleTypes = 0;    ///< none: the memory is not shared with other processes
  int locationType = 1;   ///< a device
  int locationId = 0;     ///< its ordinal
  void *securityAttributes = nullptr;
  uint64_t maxSize = 0;
  unsigned char reserved[56] = {};
};
static_assert(sizeof(MemoryPoolProperties) == 88);

} // namespace sattn::rt::cuda
