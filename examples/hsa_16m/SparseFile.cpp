// The mapping of SparseFile.h.
#include "examples/hsa_16m/SparseFile.h"
#include <cerrno>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

using namespace hsa;

static void check(bool holds, const std::string &what) {
  if (!holds)
    throw std::system_error(errno, std::generic_category(), what);
}

SparseFile::SparseFile(const std::string &folder, int64_t bytes) : bytes(bytes) {
  std::string name = folder + "/hsa_16m_XXXXXX";
  file = mkstemp(name.data());
  check(file >= 0, "cannot create a file in '" + folder + "'");
  unlink(name.c_str());
  check(ftruncate(file, bytes) == 0, "cannot make a file of " + std::to_string(bytes) + " bytes in '" + folder + "'");
  memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  check(memory != MAP_FAILED, "cannot map " + std::to_string(bytes) + " bytes");
  // Chunks are read here and there: what lies beside them need not come into memory.
  madvise(memory, static_cast<size_t>(bytes), MADV_RANDOM);
}

SparseFile::~SparseFile() {
  munmap(memory, static_cast<size_t>(bytes));
  close(file);
}

int64_t SparseFile::bytesOnDisk() const {
  constexpr int64_t block = 512; // the unit of st_blocks, whatever the file system's own
  struct stat status;
  check(fstat(file, &status) == 0, "cannot look at the file");
  return status.st_blocks * block;
}
