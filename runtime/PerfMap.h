// /tmp/perf-PID.map: where `perf` looks up functions whose code lies in no file.
#pragma once

#include <cstddef>
#include <string>

namespace sattn::rt {

/// "START SIZE NAME\n" in hexadecimal.
std::string perfMapLine(const void *address, size_t size, const std::string &name);

/// Appends lines to this process's map, which must be a plain file of ours. Failure is nobody's concern.
void appendPerfMap(const std::string &lines);

/// Path of this process's map.
std::string perfMapPath();

} // namespace sattn::rt
