// NumPy files: a magic, a header that is a Python dictionary as text, then the raw elements.
#include "Npy.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

namespace sattn::ref {
namespace {

/// The text after `'key':` in the header, up to the next `"end"` character.
StringRef field(StringRef header, StringRef key, char end) {
  StringRef rest = header.split(("'" + key + "':").str()).second.ltrim();
  return rest.take_until([&](char c) { return c == end; });
}

template <typename T> T raw(const char *p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

double half(const char *p, const llvm::fltSemantics &semantics) {
  llvm::APFloat x(semantics, llvm::APInt(16, raw<uint16_t>(p)));
  bool inexact;
  x.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return x.convertToDouble();
}

double element(const char *p, StringRef type, bool bf16) {
  if (bf16)
    return half(p, llvm::APFloat::BFloat());
  if (type == "f8")
    return raw<double>(p);
  if (type == "f4")
    return raw<float>(p);
  if (type == "f2")
    return half(p, llvm::APFloat::IEEEhalf());
  if (type == "i8")
    return static_cast<double>(raw<int64_t>(p));
  if (type == "i4")
    return raw<int32_t>(p);
  return raw<uint8_t>(p); // b1, u1
}

} // namespace

FailureOr<Array> readNpy(const std::string &path, bool bf16, std::string &error) {
  auto file = llvm::MemoryBuffer::getFile(path, false, false);
  if (!file) {
    error = path + ": " + file.getError().message();
    return failure();
  }
  StringRef bytes = (*file)->getBuffer();
  if (!bytes.starts_with("\x93NUMPY") || bytes.size() < 12) {
    error = path + ": not a .npy file";
    return failure();
  }
  bool wide = bytes[6] > 1;
  size_t length =
      wide ? llvm::support::endian::read32le(bytes.data() + 8) : llvm::support::endian::read16le(bytes.data() + 8);
  StringRef header = bytes.substr(wide ? 12 : 10, length);
  bytes = bytes.drop_front((wide ? 12 : 10) + length);
  StringRef type = field(header, "descr", ',').trim(" '<|");
  if (header.contains("'fortran_order': True") || (bf16 && type != "u2") ||
      (!bf16 && !llvm::is_contained({"f8", "f4", "f2", "i8", "i4", "b1", "u1"}, type))) {
    error = path + ": unsupported element type or order: " + header.str();
    return failure();
  }
  Array array;
  SmallVector<StringRef> extents;
  field(header, "shape", ')').ltrim("(").split(extents, ',', -1, false);
  for (StringRef extent : extents) {
    int64_t n;
    if (!extent.trim().empty() && !extent.trim().getAsInteger(10, n))
      array.shape.push_back(n);
  }
  size_t width = type.back() - '0';
  if (bytes.size() != array.size() * width) {
    error = path + ": size does not match its shape";
    return failure();
  }
  array.data.resize(array.size());
  for (size_t i = 0; i < array.data.size(); ++i)
    array.data[i] = element(bytes.data() + i * width, type, bf16);
  return array;
}

LogicalResult writeNpy(const std::string &path, const Array &array, std::string &error) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (code) {
    error = path + ": " + code.message();
    return failure();
  }
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (";
  for (int64_t extent : array.shape)
    header += llvm::Twine(extent).str() + ",";
  header += "), }";
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  out << StringRef("\x93NUMPY\x01\x00", 8) << char(header.size() & 0xff) << char(header.size() >> 8) << header;
  out.write(reinterpret_cast<const char *>(array.data.data()), array.data.size() * sizeof(double));
  return success();
}

} // namespace sattn::ref
