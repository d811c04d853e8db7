// Reads and writes NumPy .npy files (format 1 and 2, little endian, C order) for the reference's test programs.
#pragma once
#include "lib/reference/Array.h"
#include <string>

namespace sattn::ref {

/// Reads `path`: float64, float32, float16, the integers and bool; with `bf16`, uint16 holds bfloat16 bits.
/// On failure the text says what is wrong with the file.
FailureOr<Array> readNpy(const std::string &path, bool bf16, std::string &error);

/// Writes `array` as float64.
LogicalResult writeNpy(const std::string &path, const Array &array, std::string &error);

} // namespace sattn::ref
