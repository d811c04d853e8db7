// Helpers of the runtime's tests (Support.h).
#include "test/runtime/Support.h"

#include "runtime/ArtefactWriter.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sattn::rt::testing {

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void writeFile(const std::string &path, const std::string &bytes) {
  unlink(path.c_str());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> filesIn(const std::string &folder, const std::string &ending) {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.path().string().ends_with(ending))
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

const std::string &kernelCode() {
  static const std::string code = readFile(TEST_KERNELS);
  REQUIRE_FALSE(code.empty());
  return code;
}

std::string kernelCodeWithId(int64_t id) {
  std::string code = kernelCode();
  const int64_t placeholder = 0x0123456789abcdef;
  size_t place = code.find(std::string(reinterpret_cast<const char *>(&placeholder), 8));
  REQUIRE(place != std::string::npos);
  std::memcpy(code.data() + place, &id, 8);
  return code;
}

json operand(const char *name, const char *axes, int inner, const char *dtype) {
  return {{"name", name}, {"axes", json::parse(axes)}, {"inner", inner}, {"dtype", dtype}};
}

static json base(const char *name) {
  return {{"format", 1},
          {"name", name},
          {"build", "test 1"},
          {"target", "cpu-baseline"},
          {"pattern", std::string("sattn.pattern @") + name + "(...) {}"},
          {"bind", "D=4,dtype=f32"},
          {"roles", {operand("q", R"(["t", "h", "D"])", 4)}},
          {"results", json::array()},
          {"params", json::array()},
          {"steps", json::array()},
          {"kernels", json::object()}};
}

json axpyManifest() {
  json m = base("axpy");
  m["results"] = {operand("o", R"(["t", "h", "D"])", 4)};
  m["params"] = json::parse(R"([{"name": "W", "type": "int", "default": 3},
                                {"name": "scale", "type": "float", "default": 2.0}])");
  m["steps"] = json::parse(R"([{"kernel": "axpy", "grid": ["t", "h", "B"],
      "args": [{"role": "q"}, {"result": "o"}, {"float": "$scale"}, {"index": "$W"}, {"per_batch": "q_offset"}]}])");
  m["kernels"] = json::parse(R"({"axpy": {"symbol": "axpy", "scratch": 0}})");
  m["explain"] = {{"dataflow", "one task for each row"}};
  return m;
}

json totalManifest() {
  json m = base("total");
  m["roles"].push_back(operand("k", R"(["s", "g", "D"])", 4));
  m["results"] = {operand("o", R"(["t", "h", "D"])", 4), operand("lse", R"(["t", "h"])", 1)};
  m["requires"] = json::parse(R"([{"check": ["==", ["mod", "h", ["max", "g", 1]], 0],
                                   "message": "query heads must be a multiple of kv heads"}])");
  m["derived"] = json::parse(R"([{"name": "n", "value": ["*", "s", "g"]}])");
  m["workspaces"] = json::parse(R"([{"name": "sums", "bytes": ["*", ["*", "B", "n"], 4], "life": [0, 1]}])");
  json sums = json::parse(R"({"workspace": "sums", "counts": ["B", "s", "g"], "strides": ["n", "g", 1]})");
  json rowsum = json::parse(R"({"if": [">", "s", 0], "body": [{"kernel": "rowsum", "grid": ["s", "g", "B"],
                                "args": [{"role": "k"}]}]})");
  rowsum["body"][0]["args"].push_back(sums);
  json total = json::parse(R"({"loop": {"var": "wave", "count": 2}, "body": [{"kernel": "total",
      "grid": ["t", "h", "B"], "order": ["-x", "z", "y"], "args": []}]})");
  total["body"][0]["args"] = {
      sums, {{"role", "q"}}, {{"result", "o"}}, {{"result", "lse"}}, {{"per_batch", "kv_len"}}, {{"index", "wave"}}};
  m["steps"] = {rowsum, total};
  m["kernels"] = json::parse(R"({"rowsum": {"symbol": "rowsum", "scratch": 64},
                                 "total": {"symbol": "total", "scratch": 0}})");
  return m;
}

json pagedManifest() {
  json m = base("paged");
  m["bind"] = "D=4,dtype=f32,paged=2";
  m["roles"].push_back(operand("k", R"(["s", "g", "D"])", 4));
  m["roles"][1]["page"] = 2;
  m["results"] = {operand("o", R"(["t", "h"])", 1)};
  m["steps"] = json::parse(R"([{"kernel": "pagesum", "grid": ["t", "h", "B"],
      "args": [{"role": "k"}, {"pages": true}, {"result": "o"}, {"per_batch": "kv_len"}]}])");
  m["kernels"] = json::parse(R"({"pagesum": {"symbol": "pagesum", "scratch": 0}})");
  return m;
}

json identifyManifest() {
  json m = base("identify");
  m["results"] = {operand("o", R"(["t", "h"])", 1)};
  m["steps"] = json::parse(R"([{"kernel": "identify", "grid": ["t", "h", "B"], "args": [{"result": "o"}]}])");
  m["kernels"] = json::parse(R"({"identify": {"symbol": "identify", "scratch": 0}})");
  return m;
}

std::string artefactOf(const json &manifest) { return writeArtefact(manifest.dump(), kernelCode()); }

Request requestOf(const json &manifest) { return {manifest["pattern"], manifest["bind"], manifest["target"]}; }

TemporaryFolder::TemporaryFolder() {
  char text[] = "/tmp/sattn-test-XXXXXX";
  REQUIRE(mkdtemp(text) != nullptr);
  name = text;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(name, ignored);
}

} // namespace sattn::rt::testing
