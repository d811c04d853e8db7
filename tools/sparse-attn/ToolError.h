// Errors of the tool: thrown where they are found, printed by Main.cpp, which then exits with status 1. The texts are
// in Errors.def.
#pragma once
#include <fmt/format.h>
#include <stdexcept>
#include <string>

namespace sattn::tool {

/// An error of the user: what() is the whole text, "[SA0601] ..." or diagnostics of the compiler.
struct ToolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Err {
#define TOOL_ERROR(number, name, text) name = number,
#include "tools/sparse-attn/Errors.def"
};

/// The text of an error with its {} in place.
const char *errorText(Err error);

template <typename... Args> [[noreturn]] void fail(Err error, const Args &...args) {
  throw ToolError(fmt::format("[SA{:04}] ", static_cast<int>(error)) +
                  fmt::format(fmt::runtime(errorText(error)), args...));
}

} // namespace sattn::tool
