// PTX by kernels (PtxKernels.h): lines at the top level are directives of the module, shared memory or the begin of a
// kernel, which ends with the brace that closes its first one.
#include "lib/nvidia/PtxKernels.h"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace sattn::nvidia {

/// A line without its comment and the blanks around it.
static std::string_view codeOf(std::string_view line) {
  line = line.substr(0, line.find("//"));
  size_t begin = line.find_first_not_of(" \t\r");
  return begin == line.npos ? std::string_view() : line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
}

static bool startsWith(std::string_view code, std::string_view prefix) {
  return code.substr(0, prefix.size()) == prefix;
}

/// Gives the line `.extern .shared .align 16 .b8 name[];` to the only kernel that speaks of the name: linkers take it
/// for a definition. False where several do.
static bool giveShared(std::vector<PtxKernel> &kernels, std::string_view line) {
  line = line.substr(0, line.find('['));
  std::string name(line.substr(line.find_last_of(" \t") + 1));
  PtxKernel *owner = nullptr;
  for (PtxKernel &kernel : kernels)
    if (kernel.text.find(name) != std::string::npos) {
      if (owner)
        return false;
      owner = &kernel;
    }
  if (owner)
    owner->text.insert(0, std::string(line) + "[];\n");
  return true;
}

std::vector<PtxKernel> kernelsOf(const std::string &ptx) {
  constexpr std::string_view entry = ".visible .entry ";
  std::vector<PtxKernel> kernels;
  std::vector<std::string> shared;
  std::string directives, line;
  bool inside = false;
  size_t depth = 0;
  for (std::istringstream lines(ptx); std::getline(lines, line);) {
    std::string_view code = codeOf(line);
    if (!inside) {
      if (code.empty())
        continue;
      if (startsWith(code, ".version ") || startsWith(code, ".target ") || startsWith(code, ".address_size ")) {
        directives += line + "\n";
        continue;
      }
      if (startsWith(code, ".extern .shared ") && code.find("[];") != code.npos) {
        shared.emplace_back(code);
        continue;
      }
      if (!startsWith(code, entry))
        return {};
      kernels.push_back({std::string(code.substr(entry.size(), code.find('(') - entry.size())), ""});
      inside = true;
    }
    kernels.back().text += line + "\n";
    depth += static_cast<size_t>(std::count(code.begin(), code.end(), '{'));
    auto closed = static_cast<size_t>(std::count(code.begin(), code.end(), '}'));
    if (closed > depth)
      return {};
    depth -= closed;
    inside = closed == 0 || depth != 0;
  }
  if (inside)
    return {};
  for (const std::string &declaration : shared)
    if (!giveShared(kernels, declaration))
      return {};
  for (PtxKernel &kernel : kernels)
    kernel.text.insert(0, directives);
  return kernels;
}

} // namespace sattn::nvidia
