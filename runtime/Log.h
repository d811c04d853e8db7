// Where lines for people and for scripts go: the caller's log hook, or standard error (warnings and, with
// SATTN_VERBOSE, events). Events are CSV with a template line first, so that a script needs no documentation:
//   sattn_verbose,event,pattern,target,detail,microseconds
//   sattn_verbose,compile,window,cpu-avx512,key=3f2a...,181342
#pragma once

#include "include/sattn/sattn.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sattn::rt {

class Log {
public:
  /// `hook` may be null. Writes the template line if `verbose`.
  Log(sattn_log hook, void *user, bool verbose);

  /// One line; newlines become spaces. Thread-safe; never fails.
  void warning(std::string_view line) const;

  bool verbose() const { return isVerbose; }
  /// Does nothing unless verbose.
  void event(std::string_view event, std::string_view pattern, std::string_view target, std::string_view detail,
             std::chrono::nanoseconds time = {}) const;

private:
  void write(sattn_log_level level, std::string line) const;

  sattn_log hook;
  void *user;
  bool isVerbose;
};

/// A field of CSV, quoted where it has a comma, a quote or a line break (RFC 4180).
std::string csvField(std::string_view text);

/// Time since it was made.
class Stopwatch {
public:
  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - start; }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

} // namespace sattn::rt
