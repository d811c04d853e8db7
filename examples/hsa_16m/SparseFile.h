// A file full of holes, mapped into memory: as large as the sequence, on disk as large as what was written.
#pragma once
#include <cstdint>
#include <string>

namespace hsa {

class SparseFile {
public:
  /// Creates a file of `bytes` zeros in `folder` and maps it; its name is removed at once, so that nothing is left
  /// behind however the program ends. Throws std::system_error.
  SparseFile(const std::string &folder, int64_t bytes);
  ~SparseFile();
  SparseFile(const SparseFile &) = delete;
  SparseFile &operator=(const SparseFile &) = delete;

  uint16_t *data() const { return static_cast<uint16_t *>(memory); }
  int64_t size() const { return bytes; }
  int64_t bytesOnDisk() const;

private:
  int64_t bytes;
  int file = -1;
  void *memory = nullptr;
};

} // namespace hsa
