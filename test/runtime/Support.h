// What the runtime's tests share: the compiled test kernels, manifests around them, scratch folders.
#pragma once

#include "runtime/Key.h"
#include "runtime/Status.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace sattn::rt::testing {

using nlohmann::json;

/// TestKernels.so.
const std::string &kernelCode();

/// TestKernels.so with another number in place of its id.
std::string kernelCodeWithId(int64_t id);

/// A role or result: R"(["t", "h", "D"])", inner 4.
json operand(const char *name, const char *axes, int inner, const char *dtype = "f32");

/// A whole manifest: pattern @axpy over q [B,t,h,D] and the kernel `axpy`; result o; params W (default 3) and scale
/// (default 2); bind "D=4,dtype=f32"; target "cpu-baseline". Tests change what they are about.
json axpyManifest();

/// @total over q [B,t,h,D], k [B,s,g,D]; results o, lse; a workspace, a loop over two waves and an if.
json totalManifest();

/// @paged over q [B,t,h,D] and k [pages,s=2,g,D] in pages; result o [B,t,h].
json pagedManifest();

/// @identify: one result o [B,t,h] of role q [B,t,h,D].
json identifyManifest();

/// Artefact bytes of a manifest with TestKernels.so.
std::string artefactOf(const json &manifest);

/// The request that a manifest answers.
Request requestOf(const json &manifest);

/// A new empty folder below the build's temporary folder, removed with everything in it at the end of the test.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  const std::string &path() const { return name; }
  std::string file(const std::string &entry) const { return name + "/" + entry; }

private:
  std::string name;
};

std::string readFile(const std::string &path);
void writeFile(const std::string &path, const std::string &bytes);
/// Names of the entries of a folder that end in `ending`, sorted.
std::vector<std::string> filesIn(const std::string &folder, const std::string &ending = "");

} // namespace sattn::rt::testing

#define CHECK_STATUS(status, expectedError, part)                                                                      \
  do {                                                                                                                 \
    ::sattn::rt::Status checkedStatus = (status);                                                                      \
    CHECK(checkedStatus.failed());                                                                                     \
    if (checkedStatus.failed()) {                                                                                      \
      CHECK_MESSAGE(checkedStatus.error() == (expectedError), checkedStatus.text());                                   \
      CHECK_MESSAGE(checkedStatus.text().find(part) != std::string::npos, checkedStatus.text());                       \
    }                                                                                                                  \
  } while (false)

#define CHECK_OK(status)                                                                                               \
  do {                                                                                                                 \
    ::sattn::rt::Status checkedStatus = (status);                                                                      \
    CHECK_MESSAGE(checkedStatus.ok(), checkedStatus.text());                                                           \
  } while (false)
