// NVRTC, NVIDIA's compiler of CUDA C++, as a library that is opened at run time: it makes PTX of the functions that a
// pattern's author wrote. Our own kernels never pass through it. It comes with the CUDA toolkit, or alone with
// `pip install nvidia-cuda-nvrtc`. Libraries.h says where it is looked for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sattn::nvidia {

/// One error or warning of the compiler, at a place of the source text.
struct CudaMessage {
  std::string file;              ///< as the source was named, or as its #line says
  unsigned line = 0, column = 0; ///< from 1; column 0 where the compiler shows none
  bool isError = false;
  std::string text; ///< "identifier "x" is undefined"
};

class Nvrtc {
public:
  /// False where there is none; `problem` says where it was looked for.
  bool open(std::string &problem);

  /// "13.0 (/usr/local/cuda/lib64/libnvrtc.so.13)".
  std::string description() const;

  /// PTX of `source` for `target` ("sm_90a"); `name` stands for the text in messages. No header is found: the source
  /// is the whole text. Functions need no `__device__`. False with `messages`, or with `problem` where the compiler
  /// itself fails. Thread-safe; about 30 ms for a function of a line.
  bool compile(const std::string &target, const std::string &source, const std::string &name, std::string &ptx,
               std::vector<CudaMessage> &messages, std::string &problem) const;

private:
  // nvrtc.h: results are enums with 0 for success, a program is a pointer.
  using Program = struct Source *;
  int (*create)(Program *, const char *, const char *, int, const char *const *, const char *const *) = nullptr;
  int (*destroy)(Program *) = nullptr;
  int (*compileProgram)(Program, int, const char *const *) = nullptr;
  int (*ptxSize)(Program, size_t *) = nullptr;
  int (*getPtx)(Program, char *) = nullptr;
  int (*logSize)(Program, size_t *) = nullptr;
  int (*getLog)(Program, char *) = nullptr;
  int (*getVersion)(int *, int *) = nullptr;
  const char *(*errorText)(int) = nullptr;
  std::string path;
};

/// The messages of a compiler's log: `file(line): error: text`, the line of the source, and a caret below it.
std::vector<CudaMessage> parseLog(const std::string &log);

} // namespace sattn::nvidia
