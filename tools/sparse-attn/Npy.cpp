// The header is a Python literal of three known keys; the parser takes that and nothing more.
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/ToolError.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sattn::tool {

static constexpr size_t maxHeader = size_t(1) << 16;
static constexpr size_t maxDims = 8;

namespace {

/// An open file, closed at the end of the scope.
class Input {
public:
  explicit Input(const std::string &path) : path(path), descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info;
    if (descriptor < 0 || ::fstat(descriptor, &info) != 0)
      refuse();
    if (!S_ISREG(info.st_mode))
      fail(Err::CannotRead, path, "it is not a regular file");
    fileSize = static_cast<uint64_t>(info.st_size);
  }
  Input(const Input &) = delete;
  ~Input() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  uint64_t size() const { return fileSize; }
  uint64_t left() const { return fileSize - at; }

  void read(char *to, size_t count) {
    while (count != 0) {
      ssize_t got = ::read(descriptor, to, count);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        refuse();
      if (got == 0)
        fail(Err::NotNpy, path, "it ends in the middle");
      to += got;
      count -= got;
      at += got;
    }
  }

private:
  [[noreturn]] void refuse() { fail(Err::CannotRead, path, std::strerror(errno)); }
  const std::string &path;
  int descriptor;
  uint64_t fileSize = 0, at = 0;
};

struct Header {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

/// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
public:
  HeaderParser(const std::string &path, const std::string &text) : path(path), text(text) {}

  Header parse() {
    Header header;
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      std::string key = string();
      expect(':');
      if (key == "descr" && !(seen & 1)) {
        seen |= 1;
        header.descr = descr();
      } else if (key == "fortran_order" && !(seen & 2)) {
        seen |= 2;
        header.fortran = boolean();
      } else if (key == "shape" && !(seen & 4)) {
        seen |= 4;
        header.shape = shape();
      } else {
        refuse("its header has an unexpected key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (seen != 7)
      refuse("its header lacks descr, fortran_order or shape");
    return header;
  }

private:
  [[noreturn]] void refuse(const std::string &why) { fail(Err::NotNpy, path, why); }

  void blanks() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
      ++at;
  }
  bool accept(char c) {
    blanks();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      refuse(std::string("its header lacks a '") + c + "'");
  }
  std::string string() {
    blanks();
    char quote = at < text.size() ? text[at] : 0;
    if (quote != '\'' && quote != '"')
      refuse("its header lacks a string");
    size_t end = text.find(quote, at + 1);
    if (end == std::string::npos || end - at > 64)
      refuse("its header has an unterminated string");
    std::string value = text.substr(at + 1, end - at - 1);
    at = end + 1;
    for (char &c : value)
      if (c < ' ' || c > '~')
        c = '?';
    return value;
  }
  std::string descr() {
    blanks();
    if (at < text.size() && text[at] == '[')
      fail(Err::NpyDtype, path, "record");
    return string();
  }
  bool boolean() {
    blanks();
    for (bool value : {false, true}) {
      const char *word = value ? "True" : "False";
      if (text.compare(at, std::strlen(word), word) == 0) {
        at += std::strlen(word);
        return value;
      }
    }
    refuse("its header lacks True or False");
  }
  Shape shape() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      blanks();
      size_t digits = 0;
      int64_t value = 0;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
        if (__builtin_mul_overflow(value, int64_t(10), &value) || __builtin_add_overflow(value, text[at] - '0', &value))
          refuse("its shape has a number beyond 64 bits");
      if (digits == 0)
        refuse("its shape is no tuple of numbers");
      shape.push_back(value);
      if (shape.size() > maxDims)
        refuse("it has more than 8 dimensions");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  const std::string &path;
  const std::string &text;
  size_t at = 0;
};

} // namespace

static Header readHeader(Input &input, const std::string &path) {
  unsigned char start[12] = {};
  if (input.size() < 10)
    fail(Err::NotNpy, path, "it is too short");
  input.read(reinterpret_cast<char *>(start), 8);
  if (std::memcmp(start, "\x93NUMPY", 6) != 0)
    fail(Err::NotNpy, path, "it does not begin with \\x93NUMPY");
  if (start[6] < 1 || start[6] > 3)
    fail(Err::NotNpy, path, fmt::format("its format version is {}", start[6]));
  size_t lengthBytes = start[6] == 1 ? 2 : 4;
  if (input.left() < lengthBytes)
    fail(Err::NotNpy, path, "it is too short");
  input.read(reinterpret_cast<char *>(start), lengthBytes);
  size_t length = start[0] | size_t(start[1]) << 8;
  if (lengthBytes == 4)
    length |= size_t(start[2]) << 16 | size_t(start[3]) << 24;
  if (length > maxHeader || length > input.left())
    fail(Err::NotNpy, path, "its header is longer than the file or than 64 KiB");
  std::string text(length, '\0');
  input.read(text.data(), length);
  return HeaderParser(path, text).parse();
}

namespace {
enum class Words { Refused, Bf16, Either }; ///< what uint16 may be
}

static Dtype dtypeOf(const Header &header, const std::string &path, const std::string &name, Words words) {
  std::string kind = header.descr;
  char order = kind.empty() ? 0 : kind[0];
  if (order == '<' || order == '>' || order == '=' || order == '|')
    kind.erase(0, 1);
  if (order == '>')
    fail(Err::NpyBigEndian, path, header.descr, kind);
  if (kind == "u2" && words == Words::Refused)
    fail(Err::BareUint16, path, name, path);
  if (words == Words::Bf16 && kind != "u2")
    fail(Err::NotBf16, path, header.descr);
  if (kind == "u2")
    return Dtype::BF16;
  if (kind == "f4")
    return Dtype::F32;
  if (kind == "f2")
    return Dtype::F16;
  if (kind == "i4")
    return Dtype::I32;
  if (kind == "i8")
    return Dtype::I64;
  fail(Err::NpyDtype, path, header.descr);
}

static Tensor readArray(const std::string &path, const std::string &name, Words words) {
  Input input(path);
  Header header = readHeader(input, path);
  Dtype dtype = dtypeOf(header, path, name, words);
  // An array of one dimension is in both orders.
  if (header.fortran && header.shape.size() > 1)
    fail(Err::NpyFortran, path);
  uint64_t bytes = dtypeBytes(dtype);
  bool fits = true;
  for (int64_t extent : header.shape)
    fits = fits && !__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes);
  if (!fits || bytes != input.left())
    fail(Err::NpySize, path, shapeText(header.shape), fits ? std::to_string(bytes) : "more than 2^64", input.left());
  Tensor tensor = Tensor::allocate(dtype, header.shape, path);
  input.read(tensor.data.get(), bytes);
  return tensor;
}

Tensor readNpyBits(const std::string &path, const std::string &name) { return readArray(path, name, Words::Either); }

Tensor readNpy(const std::string &path, const std::string &name, bool isBf16) {
  Tensor tensor = readArray(path, name, isBf16 ? Words::Bf16 : Words::Refused);
  if (tensor.dtype == Dtype::I64)
    fail(Err::NpyDtype, path, "int64");
  return tensor;
}

std::vector<int64_t> readNpyIntegers(const std::string &path, const std::string &name) {
  Tensor tensor = readArray(path, name, Words::Refused);
  if (tensor.dtype != Dtype::I32 && tensor.dtype != Dtype::I64)
    fail(Err::WrongDtype, name, dtypeName(tensor.dtype), "int32 or int64", path);
  if (tensor.shape.size() > 1)
    fail(Err::WrongRank, name, tensor.shape.size(), 1, "B", path, shapeText(tensor.shape));
  std::vector<int64_t> values(tensor.size());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = tensor.dtype == Dtype::I64 ? tensor.as<int64_t>()[i] : tensor.as<int32_t>()[i];
  return values;
}

//===-- Writing -----------------------------------------------------------------------------------------===//

OutputFiles::~OutputFiles() {
  for (File &file : files) {
    ::close(file.descriptor);
    ::unlink(file.temporary.c_str());
  }
}

void OutputFiles::reserve(const std::string &path) {
  for (File &file : files)
    if (file.path == path)
      fail(Err::GivenTwice, path);
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    fail(Err::CannotWrite, path, "it is not a regular file");
  std::string temporary = path + ".XXXXXX";
  int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0)
    fail(Err::CannotWrite, path, std::strerror(errno));
  mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor, 0666 & ~mask);
  files.push_back({path, temporary, descriptor});
}

OutputFiles::File &OutputFiles::find(const std::string &path) {
  for (File &file : files)
    if (file.path == path)
      return file;
  reserve(path);
  return files.back();
}

static void writeAll(int descriptor, const char *from, size_t count, const std::string &path) {
  while (count != 0) {
    ssize_t done = ::write(descriptor, from, count);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      fail(Err::CannotWrite, path, std::strerror(errno));
    from += done;
    count -= done;
  }
}

void OutputFiles::writeNpy(const std::string &path, const Tensor &tensor) {
  static constexpr const char *kinds[] = {"<f4", "<f2", "<u2", "<i4", "<i8", "|i1", "|u1"};
  std::string shape = fmt::format("{}", fmt::join(tensor.shape, ", "));
  if (tensor.shape.size() == 1)
    shape += ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   kinds[static_cast<int>(tensor.dtype)], shape);
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 255);
  start += static_cast<char>(header.size() >> 8);
  File &file = find(path);
  writeAll(file.descriptor, (start + header).data(), start.size() + header.size(), path);
  writeAll(file.descriptor, tensor.data.get(), tensor.bytes(), path);
}

void OutputFiles::commit() {
  while (!files.empty()) {
    File &file = files.back();
    if (::rename(file.temporary.c_str(), file.path.c_str()) != 0)
      fail(Err::CannotWrite, file.path, std::strerror(errno));
    ::close(file.descriptor);
    files.pop_back();
  }
}

} // namespace sattn::tool
