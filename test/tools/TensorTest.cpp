// The 16-bit conversions over every bit pattern and around every rounding edge; .npy files that are hostile.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/Random.h"
#include "tools/sparse-attn/ToolError.h"

#include <doctest/doctest.h>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace sattn::tool;
namespace fs = std::filesystem;

namespace {
struct Format {
  const char *name;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};
constexpr Format formats[] = {{"f16", f16ToFloat, floatToF16}, {"bf16", bf16ToFloat, floatToBf16}};
} // namespace

TEST_CASE("every 16-bit number survives float32 and back") {
  for (const Format &format : formats) {
    INFO(format.name);
    int wrong = 0;
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      float wide = format.widen(static_cast<uint16_t>(bits));
      uint16_t back = format.narrow(wide);
      wrong += std::isnan(wide) ? !std::isnan(format.widen(back)) : back != bits;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("rounding is to the nearest, ties to even") {
  for (const Format &format : formats) {
    INFO(format.name);
    int wrong = 0;
    // Between neighbours a < b of one sign: a quarter, half and three quarters of the way.
    for (uint32_t bits = 0; bits + 1 < 0x7C00u + (format.narrow == floatToBf16 ? 0x0380u : 0u); ++bits) {
      double a = format.widen(static_cast<uint16_t>(bits)), b = format.widen(static_cast<uint16_t>(bits + 1));
      if (std::isinf(b))
        break;
      for (double sign : {1.0, -1.0}) {
        uint32_t mark = sign < 0 ? 0x8000 : 0;
        wrong += format.narrow(static_cast<float>(sign * (a + (b - a) * 0.25))) != (bits | mark);
        wrong += format.narrow(static_cast<float>(sign * (a + (b - a) * 0.5))) != ((bits + (bits & 1)) | mark);
        wrong += format.narrow(static_cast<float>(sign * (a + (b - a) * 0.75))) != ((bits + 1) | mark);
      }
    }
    CHECK(wrong == 0);
    CHECK(std::isinf(format.widen(format.narrow(INFINITY))));
    CHECK(std::isnan(format.widen(format.narrow(NAN))));
    CHECK(std::isnan(format.widen(format.narrow(std::bit_cast<float>(0x7F800001u)))));
  }
  CHECK(floatToF16(65519.0f) == 0x7BFF);
  CHECK(floatToF16(65520.0f) == 0x7C00);
  CHECK(floatToF16(1e30f) == 0x7C00);
}

TEST_CASE("samples are ascending, distinct, seeded, and all rows where there are few") {
  std::vector<int64_t> rows = sampleWithoutReplacement(1000, 100, 7);
  CHECK(rows.size() == 100);
  for (size_t i = 1; i < rows.size(); ++i)
    CHECK(rows[i - 1] < rows[i]);
  CHECK(rows == sampleWithoutReplacement(1000, 100, 7));
  CHECK(rows != sampleWithoutReplacement(1000, 100, 8));
  CHECK(sampleWithoutReplacement(3, 100, 1) == std::vector<int64_t>{0, 1, 2});
  CHECK(sampleWithoutReplacement(0, 5, 1).empty());
}

//===-- .npy ---------------------------------------------------------------------------------------------===//

namespace {
class Folder {
public:
  Folder() {
    char name[] = "/tmp/sattn-npy-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string &bytes) const {
    std::string file = path + "/x.npy";
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  std::string path;
};

std::string npy(const std::string &header, const std::string &data = "", char version = 1) {
  std::string bytes("\x93NUMPY", 6);
  bytes += version;
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8);
  if (version > 1)
    bytes += std::string(2, '\0');
  return bytes + header + data;
}

std::string errorOf(const std::string &path, bool isBf16 = false) {
  try {
    readNpy(path, "q", isBf16);
  } catch (const ToolError &error) {
    return error.what();
  }
  return "";
}
} // namespace

TEST_CASE("arrays are written and read back") {
  Folder folder;
  for (Dtype dtype : {Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I32})
    for (const Shape &shape : {Shape{2, 3, 4}, Shape{5}, Shape{}, Shape{0, 7}}) {
      Tensor tensor = Tensor::allocate(dtype, shape, "x");
      for (int64_t i = 0; i < tensor.size(); ++i)
        tensor.set(i, static_cast<double>(i) - 3);
      std::string path = folder.path + "/y.npy";
      {
        OutputFiles files;
        files.writeNpy(path, tensor);
        CHECK(!fs::exists(path)); // not before all is written
        files.commit();
      }
      Tensor back = readNpy(path, "q", dtype == Dtype::BF16);
      CHECK(back.dtype == dtype);
      CHECK(back.shape == shape);
      for (int64_t i = 0; i < tensor.size(); ++i)
        CHECK(back.get(i) == tensor.get(i));
      CHECK((fs::file_size(path) - tensor.bytes()) % 64 == 0);
      fs::remove(path);
    }
}

TEST_CASE("what is not committed leaves nothing behind") {
  Folder folder;
  {
    OutputFiles files;
    files.writeNpy(folder.path + "/a.npy", Tensor::allocate(Dtype::F32, {4}, "a"));
    files.reserve(folder.path + "/b.npy");
  }
  CHECK(fs::is_empty(folder.path));
}

TEST_CASE("a malformed .npy file is refused by name") {
  Folder folder;
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
  CHECK(errorOf(folder.write(npy(good, std::string(8, '\0')))) == "");
  CHECK(errorOf(folder.write(npy(good, std::string(8, '\0'), 2))) == "");
  struct {
    std::string bytes;
    const char *text;
  } cases[] = {
      {"", "it is too short"},
      {"PK archive, not an array", "it does not begin with \\x93NUMPY"},
      {npy(good, std::string(8, '\0'), 9), "its format version is 9"},
      {npy(good, std::string(7, '\0')), "has the shape [2], which needs 8 bytes, but holds 7"},
      {npy(good, std::string(9, '\0')), "has the shape [2], which needs 8 bytes, but holds 9"},
      {npy(good).substr(0, 30), "its header is longer than the file"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }"), "more than 2^64 bytes"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), "a number beyond 64 bits"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "its shape is no tuple of numbers"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }"), "more than 8 dimensions"},
      {npy("{'descr': '<f4', 'fortran_order': False, }"), "lacks descr, fortran_order or shape"},
      {npy("{'descr': '<f4', 'fortran_order': None, 'shape': (), }"), "its header lacks True or False"},
      {npy("{'descr': '<f4', 'descr': '<f4', 'shape': (), }"), "unexpected key 'descr'"},
      {npy("{'descr: '<f4'"), "its header lacks"},
      {npy("{'descr' '<f4'"), "its header lacks a ':'"},
      {npy("{" + std::string(60, ' ')), "its header lacks a string"},
      {npy("{'descr"), "an unterminated string"},
      {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (), }"), "is big-endian ('>f4'): save x.astype('<f4')"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }"), "holds elements of type '<f8'"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (), }"), "holds elements of type 'record'"},
      {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }"), "is in Fortran order"},
      {npy("{'descr': '<u2', 'fortran_order': False, 'shape': (), }"), "say q:bf16="},
      {npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", std::string(8, '\0')),
       "holds elements of type 'int64'"},
  };
  for (const auto &[bytes, text] : cases) {
    std::string error = errorOf(folder.write(bytes));
    INFO(error);
    CHECK(error.find(text) != std::string::npos);
  }
  CHECK(errorOf(folder.write(npy(good, std::string(8, '\0'))), true).find("holds <f4, but :bf16 stands for uint16") !=
        std::string::npos);
  CHECK(errorOf(folder.path + "/none.npy").find("[SA0600] cannot read") != std::string::npos);
  CHECK(errorOf(folder.path).find("it is not a regular file") != std::string::npos);
}
