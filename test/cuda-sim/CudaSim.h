// What tests say to the simulated driver and ask of it, beside the driver's own functions. The library is found with
// dlopen like a driver; these functions with dlsym.
//
// Work of streams does not run when it is issued but when somebody waits for it (or when much of it is waiting), so
// that a missing wait is seen: results are not there yet. While a stream is captured, what NVIDIA's driver refuses is
// refused.
#pragma once

#include <cstdint>

extern "C" {

/// Starts over: no context, no memory, no counters, and a machine as `text` says, "key=value,..." with
///   devices=N            1
///   cc=90 (or 80+90)     compute capability of the devices, the last one for all that follow; 90
///   memory=BYTES         of a device; 1 GiB
///   pools=0|1            memory pools; 1
///   version=N            of the driver, 13000
///   refuse=FUNCTION      cuLaunchKernel, ...: the function fails with CUDA_ERROR_UNKNOWN
/// Before the first call the environment variable SATTN_CUDA_SIM is such a text. 0, or 1 for a text it cannot read.
int cusimConfigure(const char *text);

/// Forgets the fault of a kernel, after which a context is lost, as if the process had begun anew.
void cusimRecover();

/// How often a function of the driver was called: cusimCalls("cuLaunchKernel").
uint64_t cusimCalls(const char *function);

/// Bytes of device memory in use, and objects (modules, streams, events, pools, retained contexts) that are alive.
uint64_t cusimMemoryInUse();
uint64_t cusimObjects();

/// Work that was issued and has not run.
uint64_t cusimPending();
}
