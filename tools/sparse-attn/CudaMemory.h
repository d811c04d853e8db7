// Memory of a CUDA device for the operands and results of one call, by the functions of the driver that the runtime
// uses. While an object lives, the device's context is current, so that calls on the default stream run in it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sattn::tool {

class CudaMemory {
public:
  /// Throws the driver's text where there is no driver or no such device.
  explicit CudaMemory(int ordinal);
  ~CudaMemory();
  CudaMemory(const CudaMemory &) = delete;

  int ordinal() const { return number; }
  /// The best of these targets that the device runs; "" if it runs none.
  std::string bestOf(const std::vector<std::string> &targets) const;
  /// Memory that lives as long as this object; null for 0 bytes.
  void *allocate(size_t bytes);
  void *upload(const void *from, size_t bytes);
  /// Waits for what was launched before.
  void download(void *to, const void *from, size_t bytes);
  void synchronize();
  /// Seconds that the device takes for what `launch` puts on the default stream.
  double seconds(const std::function<void()> &launch);

private:
  struct State;
  int number;
  std::unique_ptr<State> state;
};

/// What `doctor` shows: the driver and each device with the target that "cuda" means there, or why there is none.
struct CudaFindings {
  std::string driver; ///< "CUDA 13.0 (libcuda.so.1)"; "" without one
  std::string absent; ///< why
  std::vector<std::string> devices;
};
CudaFindings lookForCuda();

} // namespace sattn::tool
