// Calls of nvJitLink (NvJitLink.h).
#include "lib/nvidia/NvJitLink.h"
#include "lib/nvidia/Libraries.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>
#include <utility>

namespace sattn::nvidia {

bool NvJitLink::open(std::string &problem) {
  void *handle = openLibrary("nvJitLink", "", path, problem);
  if (!handle)
    return false;
  if (find(handle, "nvJitLinkCreate", create) && find(handle, "nvJitLinkDestroy", destroy) &&
      find(handle, "nvJitLinkAddData", addData) && find(handle, "nvJitLinkComplete", completeLink) &&
      find(handle, "nvJitLinkGetLinkedCubinSize", cubinSize) && find(handle, "nvJitLinkGetLinkedCubin", getCubin) &&
      find(handle, "nvJitLinkGetErrorLogSize", errorSize) && find(handle, "nvJitLinkGetErrorLog", getError) &&
      find(handle, "nvJitLinkVersion", getVersion))
    return true;
  problem = "'" + path + "' lacks functions of nvJitLink 12.3; install a newer one";
  return false;
}

std::string NvJitLink::description() const {
  unsigned major = 0, minor = 0;
  getVersion(&major, &minor);
  return describe(major, minor, path);
}

// nvJitLink.h: kinds of what is linked.
static constexpr int kCubin = 1, kPtx = 2;

bool NvJitLink::link(const std::string &target, const std::string &ptx, const std::string &name, std::string &cubin,
                     std::string &problem) const {
  // Where that does not succeed, the whole text does, or a message gives the lines of the whole.
  if (linkKernels(target, kernelsOf(ptx), name, cubin))
    return true;
  // The terminating 0 belongs to the text.
  return complete({"-arch=" + target, "-O3"}, {{kPtx, ptx.c_str(), ptx.size() + 1}}, name, cubin, problem);
}

bool NvJitLink::linkKernels(const std::string &target, const std::vector<PtxKernel> &kernels, const std::string &name,
                            std::string &cubin) const {
  size_t workers = std::min<size_t>(kernels.size(), std::max(1U, std::thread::hardware_concurrency()));
  if (workers < 2)
    return false;
  std::vector<size_t> order(kernels.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(kernels[a].text.size(), b) > std::pair(kernels[b].text.size(), a);
  });
  std::vector<std::string> parts(kernels.size());
  std::atomic<size_t> next = 0;
  std::atomic<bool> ok = true;
  auto work = [&] {
    std::string ignored;
    for (size_t at; ok && (at = next++) < order.size();) {
      const std::string &text = kernels[order[at]].text;
      if (!complete({"-arch=" + target, "-O3", "-r"}, {{kPtx, text.c_str(), text.size() + 1}}, name, parts[order[at]],
                    ignored))
        ok = false;
    }
  };
  std::vector<std::thread> threads;
  while (threads.size() + 1 < workers)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  std::vector<Input> inputs;
  for (const std::string &part : parts)
    inputs.push_back({kCubin, part.data(), part.size()});
  std::string ignored;
  if (!ok || !complete({"-arch=" + target, "-O3"}, inputs, name, cubin, ignored))
    return false;
  // What is not marked as relocatable is left out without a word.
  return std::all_of(kernels.begin(), kernels.end(),
                     [&](const PtxKernel &kernel) { return cubin.find(kernel.name) != cubin.npos; });
}

bool NvJitLink::complete(const std::vector<std::string> &options, const std::vector<Input> &inputs,
                         const std::string &name, std::string &cubin, std::string &problem) const {
  std::vector<const char *> words;
  for (const std::string &option : options)
    words.push_back(option.c_str());
  Handle linker = nullptr;
  if (int result = create(&linker, static_cast<unsigned>(words.size()), words.data())) {
    problem = "nvJitLink does not know target '" + options.front().substr(std::string("-arch=").size()) + "' (error " +
              std::to_string(result) + "); install a newer one";
    return false;
  }
  int result = 0;
  for (const Input &input : inputs)
    if (result == 0)
      result = addData(linker, input.kind, input.data, input.size, name.c_str());
  if (result == 0)
    result = completeLink(linker);
  size_t size = 0;
  if (result == 0 && (result = cubinSize(linker, &size)) == 0) {
    cubin.resize(size);
    result = getCubin(linker, cubin.data());
  }
  if (result != 0) {
    std::string log;
    if (errorSize(linker, &size) == 0 && size > 0) {
      log.resize(size);
      getError(linker, log.data());
      log.erase(log.find_last_not_of(std::string("\0\n\r ", 4)) + 1);
    }
    problem = "nvJitLink refuses the PTX (error " + std::to_string(result) + "): " + log;
  }
  destroy(&linker);
  return result == 0;
}

} // namespace sattn::nvidia
