// sparse-attn new: a pattern file to start from.
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace sattn::tool {

static constexpr const char *starter = R"(// {0}: what it computes, and the paper it is from.
//
// A row stands at position t, a key at s. Change the set in the first line of the body, then:
//   sparse-attn verify {0}.mlir                  is it causal, and does the kernel agree with the reference?
//   sparse-attn explain {0}.mlir                 what is computed, and why so
//   sparse-attn bench {0}.mlir --shape T=4096,Hq=16,Hkv=4,D=64
sattn.pattern @{0}<W: int = 512, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {{
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}}
)";

static bool canName(const std::string &name) {
  if (name.empty() || name.size() > 64 || !std::isalpha(static_cast<unsigned char>(name[0])))
    return false;
  for (char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_')
      return false;
  return true;
}

int newPattern(const std::string &name) {
  if (!canName(name))
    fail(Err::BadName, name);
  std::string path = name + ".mlir", text = fmt::format(fmt::runtime(starter), name);
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0 && errno == EEXIST)
    fail(Err::Exists, path);
  bool isWritten = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int reason = errno;
  if (file >= 0)
    ::close(file);
  if (!isWritten) {
    if (file >= 0)
      ::unlink(path.c_str());
    fail(Err::CannotWrite, path, std::strerror(reason));
  }
  fmt::print("{}: a window of W keys; next: sparse-attn verify {}\n", path, path);
  return 0;
}

} // namespace sattn::tool
