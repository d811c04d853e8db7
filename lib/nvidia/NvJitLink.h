// nvJitLink, NVIDIA's linker, as a library that is opened at run time: it makes machine code for a GPU of PTX, on any
// machine. It comes with the CUDA toolkit, or alone with `pip install nvidia-nvjitlink`.
// Libraries.h says where it is looked for.
#pragma once

#include "lib/nvidia/PtxKernels.h"

#include <cstddef>
#include <string>
#include <vector>

namespace sattn::nvidia {

class NvJitLink {
public:
  /// False where there is none; `problem` says where it was looked for.
  bool open(std::string &problem);

  /// "13.0 (/usr/local/cuda/lib64/libnvJitLink.so.13)".
  std::string description() const;

  /// Machine code of `ptx` for `target` ("sm_90a"); `name` stands for the text in messages. False with the linker's own
  /// text where it refuses. Kernels are compiled side by side and then linked: their code is the same as in one piece.
  bool link(const std::string &target, const std::string &ptx, const std::string &name, std::string &cubin,
            std::string &problem) const;

private:
  // nvJitLink.h: results are enums with 0 for success, a handle is a pointer.
  using Handle = struct Linker *;
  struct Input {
    int kind;
    const void *data;
    size_t size;
  };
  bool complete(const std::vector<std::string> &options, const std::vector<Input> &inputs, const std::string &name,
                std::string &cubin, std::string &problem) const;
  /// Nothing is said where it does not succeed.
  bool linkKernels(const std::string &target, const std::vector<PtxKernel> &kernels, const std::string &name,
                   std::string &cubin) const;

  int (*create)(Handle *, unsigned, const char **) = nullptr;
  int (*destroy)(Handle *) = nullptr;
  int (*addData)(Handle, int, const void *, size_t, const char *) = nullptr;
  int (*completeLink)(Handle) = nullptr;
  int (*cubinSize)(Handle, size_t *) = nullptr;
  int (*getCubin)(Handle, void *) = nullptr;
  int (*errorSize)(Handle, size_t *) = nullptr;
  int (*getError)(Handle, char *) = nullptr;
  int (*getVersion)(unsigned *, unsigned *) = nullptr;
  std::string path;
};

} // namespace sattn::nvidia
