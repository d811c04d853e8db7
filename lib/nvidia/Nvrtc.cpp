// Calls of NVRTC, and the reading of its log (Nvrtc.h).
#include "lib/nvidia/Nvrtc.h"
#include "lib/nvidia/Libraries.h"

#include <charconv>
#include <sstream>

namespace sattn::nvidia {

bool Nvrtc::open(std::string &problem) {
  void *handle = openLibrary("nvrtc", "nvrtc-builtins", path, problem);
  if (!handle)
    return false;
  if (find(handle, "nvrtcCreateProgram", create) && find(handle, "nvrtcDestroyProgram", destroy) &&
      find(handle, "nvrtcCompileProgram", compileProgram) && find(handle, "nvrtcGetPTXSize", ptxSize) &&
      find(handle, "nvrtcGetPTX", getPtx) && find(handle, "nvrtcGetProgramLogSize", logSize) &&
      find(handle, "nvrtcGetProgramLog", getLog) && find(handle, "nvrtcVersion", getVersion) &&
      find(handle, "nvrtcGetErrorString", errorText))
    return true;
  problem = "'" + path + "' lacks functions of NVRTC 12; install a newer one";
  return false;
}

std::string Nvrtc::description() const {
  int major = 0, minor = 0;
  getVersion(&major, &minor);
  return describe(static_cast<unsigned>(major), static_cast<unsigned>(minor), path);
}

/// A text that is asked for by its size, which counts the terminating 0, then as a whole.
template <typename Size, typename Get, typename Program>
static std::string textOf(Program program, Size sizeOf, Get get) {
  size_t size = 0;
  std::string text;
  if (sizeOf(program, &size) != 0 || size == 0)
    return text;
  text.resize(size);
  if (get(program, text.data()) != 0)
    return "";
  text.resize(size - 1);
  return text;
}

bool Nvrtc::compile(const std::string &target, const std::string &source, const std::string &name, std::string &ptx,
                    std::vector<CudaMessage> &messages, std::string &problem) const {
  Program program = nullptr;
  int result = create(&program, source.c_str(), name.c_str(), 0, nullptr, nullptr);
  if (result != 0) {
    problem = std::string("NVRTC does not start: ") + errorText(result);
    return false;
  }
  std::string arch = "--gpu-architecture=compute_" + target.substr(target.find('_') + 1);
  // Without a kernel that calls them, functions are kept for other modules alone.
  const char *options[] = {arch.c_str(), "--relocatable-device-code=true", "--device-as-default-execution-space",
                           "--std=c++17"};
  result = compileProgram(program, static_cast<int>(std::size(options)), options);
  std::string log = textOf(program, logSize, getLog);
  messages = parseLog(log);
  if (result == 0)
    ptx = textOf(program, ptxSize, getPtx);
  else if (messages.empty())
    problem = std::string("NVRTC fails: ") + errorText(result) + (log.empty() ? "" : ": " + log);
  destroy(&program);
  return result == 0;
}

/// "a.cu(3): error: text" or "a.cu(3): warning #177-D: text"; false for any other line.
static bool parseMessage(const std::string &line, CudaMessage &message) {
  size_t colon = line.find("): ");
  size_t open = colon == std::string::npos ? colon : line.rfind('(', colon);
  if (open == std::string::npos || open == 0)
    return false;
  const char *end = line.data() + colon;
  if (std::from_chars(line.data() + open + 1, end, message.line).ptr != end)
    return false;
  std::string rest = line.substr(colon + 3);
  size_t text = rest.find(": ");
  message.isError = rest.rfind("error", 0) == 0 || rest.rfind("catastrophic error", 0) == 0;
  if (text == std::string::npos || (!message.isError && rest.rfind("warning", 0) != 0))
    return false;
  message.file = line.substr(0, open);
  message.text = rest.substr(text + 2);
  return true;
}

std::vector<CudaMessage> parseLog(const std::string &log) {
  // The line of the source is shown behind two blanks, and the caret stands below it.
  constexpr size_t indent = 2;
  std::vector<CudaMessage> messages;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    CudaMessage message;
    size_t caret = line.find_first_not_of(" \t");
    if (parseMessage(line, message))
      messages.push_back(std::move(message));
    else if (caret != std::string::npos && line[caret] == '^' && !messages.empty() && caret >= indent)
      messages.back().column = static_cast<unsigned>(caret - indent + 1);
  }
  return messages;
}

} // namespace sattn::nvidia
