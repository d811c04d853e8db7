// Reads and writes .npy files (format versions 1 to 3): little-endian, row-major arrays of float32, float16, int32,
// int64 and uint16. Untrusted input: everything else is refused by name.
#pragma once
#include "tools/sparse-attn/Tensor.h"

namespace sattn::tool {

/// Reads an array. uint16 comes as bf16 bits where `isBf16`, and is refused otherwise; `name` is the operand or option
/// for messages.
Tensor readNpy(const std::string &path, const std::string &name, bool isBf16 = false);

/// An array whose bits alone matter: uint16 may be anything.
Tensor readNpyBits(const std::string &path, const std::string &name);

/// A list of integers (int32 or int64, one dimension or none).
std::vector<int64_t> readNpyIntegers(const std::string &path, const std::string &name);

/// Files that appear all together or not at all: each is written beside its place under another name; commit() renames
/// them. What is not committed is removed.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  ~OutputFiles();
  /// Fails now where `path` could not be written later, so that no long run ends in vain.
  void reserve(const std::string &path);
  /// bf16 becomes uint16.
  void writeNpy(const std::string &path, const Tensor &tensor);
  void commit();

private:
  struct File {
    std::string path, temporary;
    int descriptor;
  };
  File &find(const std::string &path);
  std::vector<File> files;
};

} // namespace sattn::tool
