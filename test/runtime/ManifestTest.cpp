// Manifests: what a good one becomes, and a table of mutations of which each is refused with the field's name.
#include "test/runtime/Support.h"

#include "runtime/Manifest.h"

using namespace sattn::rt;
using sattn::rt::testing::axpyManifest;
using sattn::rt::testing::json;
using sattn::rt::testing::pagedManifest;
using sattn::rt::testing::totalManifest;

namespace {
Status parse(const json &manifest) {
  std::vector<Manifest> out;
  return parseManifests(manifest.dump(), out);
}

Manifest good(const json &manifest) {
  std::vector<Manifest> out;
  Status status = parseManifests(manifest.dump(), out);
  REQUIRE_MESSAGE(status.ok(), status.text());
  REQUIRE(out.size() == 1);
  return out[0];
}

/// Replaces what a JSON pointer names; "" in `value` removes it.
struct Mutation {
  const char *pointer;
  const char *value;
  const char *message;
};

void checkMutations(const json &manifest, const std::vector<Mutation> &mutations) {
  for (const Mutation &mutation : mutations) {
    CAPTURE(mutation.pointer);
    CAPTURE(mutation.value);
    json changed = manifest;
    json::json_pointer pointer(mutation.pointer);
    if (std::string(mutation.value).empty())
      changed[pointer.parent_pointer()].erase(pointer.back());
    else
      changed[pointer] = json::parse(mutation.value);
    CHECK_STATUS(parse(changed), Err::ManifestField, mutation.message);
  }
}
} // namespace

TEST_CASE("a manifest becomes structs") {
  Manifest m = good(totalManifest());
  CHECK(m.name == "total");
  CHECK(m.request.bind == "D=4,dtype=f32");
  REQUIRE(m.roles.size() == 2);
  CHECK(m.roles[0].axisList() == "B, t, h, D");
  CHECK(m.roles[0].rank() == 4);
  CHECK(m.roles[0].position == 0);
  CHECK(m.roles[0].head == 1);
  CHECK(m.roles[0].axes[2].size == 4);
  CHECK(m.results[1].axisList() == "B, t, h");
  CHECK(m.results[1].inner == 1);
  CHECK(m.symbols.name(m.queryAxis) == "t");
  CHECK(m.symbols.name(m.keyAxis) == "s");
  REQUIRE(m.steps.size() == 2);
  CHECK(m.steps[0].kind == Step::Kind::If);
  CHECK(m.steps[1].kind == Step::Kind::Loop);
  const Step &inner = m.steps[1].body[0];
  CHECK(inner.where == "steps[1].body[0]");
  CHECK(inner.frameSlots == 4 * 7 + 2);
  CHECK(inner.order[0].axis == 0);
  CHECK(inner.order[0].reversed);
  CHECK(inner.order[1].axis == 2);
  CHECK(m.explain.empty());
  CHECK(good(axpyManifest()).explain.find("one task for each row") != std::string::npos);
  CHECK(good(axpyManifest()).params[1].floatDefault == 2.0);
}

TEST_CASE("roles in pages") {
  Manifest m = good(pagedManifest());
  CHECK(m.page == 2);
  CHECK(m.roles[0].page == 0);
  CHECK(m.roles[1].page == 2);
  CHECK(m.roles[1].axisList() == "pages, s, g, D");
  CHECK(m.steps[0].args[1].kind == KernelArg::Kind::Pages);
  CHECK(m.steps[0].frameSlots == 3 * 7 + 1);
  checkMutations(pagedManifest(), {{"/roles/1/page", "0", "roles[1].page"},
                                   {"/roles/0/page", "2", "roles[0].page: only a role over 's' lies in pages"},
                                   {"/steps/0/args/1/pages", "false", "steps[0].args[1].pages: expected true"},
                                   {"/roles/1/page", "", "steps[0].args[1].pages: expected true, in a manifest with"}});
  json two = pagedManifest();
  two["roles"].push_back(testing::operand("v", R"(["s", "g", "D"])", 4));
  two["roles"][2]["page"] = 4;
  CHECK_STATUS(parse(two), Err::ManifestField, "roles[2].page: pages of roles have two sizes");
}

TEST_CASE("axes of every kind") {
  json m = axpyManifest();
  m["bind"] = "D=4,D2=8,dtype=f32";
  m["roles"].push_back(testing::operand("kc", R"x(["c(32, 16)", "g", "D"])x", 4, "bf16"));
  m["roles"].push_back(testing::operand("gate", R"(["t", "h", "3"])", 3));
  m["roles"].push_back(testing::operand("kv", R"(["s", "1", "D"])", 4));
  m["roles"].push_back(testing::operand("sink", R"(["h"])", 1));
  m["roles"].push_back(testing::operand("doc", R"(["s"])", 1, "i32"));
  m["roles"].push_back(testing::operand("two", R"(["s", "D2", "3"])", 24));
  m["roles"].push_back(testing::operand("open", R"(["s", "D3", "3"])", 15)); // D3 = 5 follows from inner
  Manifest out = good(m);
  CHECK(out.roles[1].axisList() == "B, c(32, 16), g, D");
  CHECK(out.roles[3].head == -1);
  CHECK_FALSE(out.roles[4].batched);
  CHECK(out.roles[4].rank() == 1);
  CHECK(out.roles[5].dtype == Dtype::I32);
  CHECK(out.roles[6].axes[1].size == 8);
  CHECK(out.roles[7].axes[1].size == 5);
}

TEST_CASE("an axis of a result may be a derived value") {
  json m = axpyManifest();
  m["roles"].push_back(testing::operand("k", R"(["s", "g", "D"])", 4));
  m["results"].push_back(testing::operand("kc", R"x(["c(32, 16)", "g", "D"])x", 4));
  CHECK_STATUS(parse(m), Err::ManifestField, "results[1].axes[0]: axis 'c(32, 16)' belongs to no role");
  m["derived"] = json::parse(R"x([{"name": "c(32, 16)", "value": ["max", 0, ["floordiv", ["-", "s", 16], 16]]}])x");
  CHECK_OK(parse(m));
}

TEST_CASE("a role that calls extend") {
  json m = axpyManifest();
  CHECK_FALSE(good(m).roles[0].kept);
  m["roles"][0]["kept"] = 1;
  CHECK(good(m).roles[0].kept);
  m["roles"][0]["kept"] = 0;
  CHECK_STATUS(parse(m), Err::ManifestField, "roles[0].kept: expected an integer from 1 to 1");
}

TEST_CASE("a bundle's manifests") {
  json bundle = {{"format", 1}, {"bundle", {axpyManifest(), totalManifest()}}};
  std::vector<Manifest> out;
  CHECK_OK(parseManifests(bundle.dump(), out));
  REQUIRE(out.size() == 2);
  CHECK(out[1].name == "total");
  CHECK(json::parse(out[1].text) == totalManifest());
  bundle["bundle"][1]["name"] = 5;
  CHECK_STATUS(parseManifests(bundle.dump(), out), Err::ManifestField, "bundle[1]");
  bundle["bundle"] = 1;
  CHECK_STATUS(parseManifests(bundle.dump(), out), Err::ManifestField, "bundle: expected an array");
  ManifestHead head;
  CHECK_OK(parseManifestHead(axpyManifest().dump(), head));
  CHECK(head.name == "axpy");
  CHECK_STATUS(parseManifestHead("[]", head), Err::ManifestField, "expected an object");
}

TEST_CASE("texts that are no manifests") {
  std::vector<Manifest> out;
  for (const char *text : {"", "{", "nul", "{\"format\": 1", "\"\xff\"", "{} {}"})
    CHECK_STATUS(parseManifests(text, out), Err::ManifestJson, "[SA0414] the manifest is not valid JSON");
  for (const char *text : {"1", "[]", "null", "\"x\""})
    CHECK_STATUS(parseManifests(text, out), Err::ManifestField, "top level: expected an object");
  CHECK_STATUS(parseManifests(std::string(1000000, '['), out), Err::ManifestField, "nested deeper than 256");
  std::string deep = axpyManifest().dump();
  deep.insert(1, "\"explain\":" + std::string(300, '[') + std::string(300, ']') + ",");
  CHECK_STATUS(parseManifests(deep, out), Err::ManifestField, "nested deeper than 256");
}

TEST_CASE("mutations of code for a GPU") {
  json gpu = axpyManifest();
  gpu["target"] = "sm_120a";
  gpu["kernels"] = json::parse(R"({"axpy": {"symbol": "axpy", "threads": 64, "shared": 0, "align": [16, 0],
                                         "maps": [{"arg": 0, "bytes": 2, "inner": 64, "box": [64, 64]}]}})");
  checkMutations(
      gpu, {
               {"/kernels/axpy/threads", "", "kernels.axpy.threads: missing field"},
               {"/kernels/axpy/threads", "0", "kernels.axpy.threads: expected an integer from 1 to 1024"},
               {"/kernels/axpy/shared", "-1", "kernels.axpy.shared: expected an integer from 0"},
               {"/kernels/axpy/align", "16", "kernels.axpy.align: expected an array"},
               {"/kernels/axpy/align", "[1.5]", "kernels.axpy.align: expected numbers of bytes"},
               {"/kernels/axpy/maps", "{}", "kernels.axpy.maps: expected an array"},
               {"/kernels/axpy/maps/0/bytes", "9", "kernels.axpy.maps[0].bytes: expected an integer from 1"},
               {"/kernels/axpy/maps/0/box", "[64]", "kernels.axpy.maps[0].box: expected two extents from 1"},
               {"/kernels/axpy/maps/0/box/1", "257", "maps[0].box: expected two extents from 1 to 256"},
               {"/kernels/axpy/maps/0/arg", "2", "args: expected a view at number 2, of which 'axpy' has a tensor map"},
               {"/kernels/axpy/scratch", "0", "kernels.axpy.scratch: unknown field"},
           });
}

TEST_CASE("mutations of the head") {
  checkMutations(axpyManifest(), {
                                     {"/format", "", "format: missing field"},
                                     {"/format", "2", "format: expected an integer from 1 to 1"},
                                     {"/format", "1.0", "format: expected an integer"},
                                     {"/format", "18446744073709551615", "format: expected an integer"},
                                     {"/name", "7", "name: expected a string"},
                                     {"/name", R"("a\u0000b")", "name: string contains a 0 byte"},
                                     {"/build", "", "build: missing field"},
                                     {"/target", R"("sm_9x")", "target: unknown target 'sm_9x'"},
                                     {"/target", R"("cpu")", "target: unknown target 'cpu'"},
                                     {"/pattern", "null", "pattern: expected a string"},
                                     {"/bind", R"("dtype=f32,D=4")", "bind: expected sorted name=value items"},
                                     {"/bind", R"("D")", "bind: expected sorted name=value items"},
                                     {"/code", "-1", "code: expected an integer from 0"},
                                     {"/explain", "[]", "explain: expected an object"},
                                     {"/ordre", "1", "ordre: unknown field"},
                                     {"/kernels", "[]", "kernels: expected an object"},
                                     {"/steps", "", "steps: missing field"},
                                     {"/steps", "{}", "steps: expected an array"},
                                 });
  json m = axpyManifest();
  m["name"] = std::string(300, 'x');
  CHECK_STATUS(parse(m), Err::ManifestField, "name: string is too long");
}

TEST_CASE("mutations of roles and results") {
  checkMutations(
      axpyManifest(),
      {
          {"/roles", "5", "roles: expected an array"},
          {"/roles/0", "5", "roles[0]: expected an object"},
          {"/roles/0/name", "", "roles[0].name: missing field"},
          {"/roles/0/axes", R"(["t", "q"])", "roles[0].axes[1]: unknown axis 'q'"},
          {"/roles/0/axes", R"(["t", 4])", "roles[0].axes[1]: expected the name of an axis"},
          {"/roles/0/axes", R"(["t", ""])", "roles[0].axes[1]: expected the name of an axis"},
          {"/roles/0/axes", R"(["t", "4x"])", "axis '4x' is not a number"},
          {"/roles/0/axes", R"(["t", "t", "D"])", "axis 't' occurs twice"},
          {"/roles/0/axes", R"(["t", "s", "D"])", "two position axes"},
          {"/roles/0/axes", R"(["t", "h", "g", "D"])", "two head axes"},
          {"/roles/0/axes", R"(["t", "D", "h"])", "feature axes must come last"},
          {"/roles/0/axes", R"(["t", "h", "3"])", "'inner' is not the product of the feature axes"},
          {"/roles/0/axes", R"(["t", "h", "0"])", "'inner' is not the product of the feature axes"},
          {"/roles/0/axes", R"(["t", "h", "D7", "D8"])", "size of axis 'D8' is not in the bind"},
          {"/roles/0/axes", R"(["t", "h", "999999", "999999"])", "too many features"},
          {"/roles/0/inner", "5", "'inner' is not the product of the feature axes"},
          {"/roles/0/inner", "0", "roles[0].inner: expected an integer from 1"},
          {"/roles/0/inner", "9999999999", "roles[0].inner: expected an integer from 1"},
          {"/roles/0/dtype", R"("f64")", "roles[0].dtype: unknown dtype 'f64'"},
          {"/roles/0/shape", "[]", "roles[0].shape: unknown field"},
          {"/results/0/name", R"("q")", "name 'q' is taken"},
          {"/results/0/axes", R"x(["u(8)", "h", "D"])x", "results[0].axes[0]: axis 'u(8)' belongs to no role"},
      });
  json m = axpyManifest();
  m["bind"] = "dtype=f32";
  m["roles"].push_back(testing::operand("k", R"(["s", "g", "D"])", 8));
  CHECK_STATUS(parse(m), Err::ManifestField, "axis 'D' has two sizes");
  m = axpyManifest();
  m["roles"] = json::array();
  for (int i = 0; i < 65; ++i)
    m["roles"].push_back(testing::operand(("r" + std::to_string(i)).c_str(), R"(["t"])", 1));
  CHECK_STATUS(parse(m), Err::ManifestField, "roles: more than 64 items");
}

TEST_CASE("mutations of params, derived values and requirements") {
  json m = totalManifest();
  m["params"] = axpyManifest()["params"];
  checkMutations(
      m, {
             {"/params/0/type", R"("i32")", "params[0].type: expected 'int' or 'float'"},
             {"/params/0/default", "1.5", "params[0].default: expected an integer"},
             {"/params/1/default", R"x("rsqrt(D)")x", "params[1].default: expected a float32 number"},
             {"/params/1/default", "1e300", "params[1].default: expected a float32 number"},
             {"/params/1/name", R"("W")", "name 'W' is taken"},
             {"/params/1/unit", "1", "params[1].unit: unknown field"},
             {"/derived", "{}", "derived: expected an array"},
             {"/derived/0/name", R"("s")", "derived[0].name: name 's' is taken"},
             {"/derived/0/value", R"("n")", "derived[0].value: unknown name 'n'"},
             {"/derived/0/value", "", "derived[0].value: missing field"},
             {"/requires/0/check", R"(["==", "t"])", "requires[0].check: expected an integer, a name or [op, a, b]"},
             {"/requires/0/message", "", "requires[0].message: missing field"},
             {"/requires/0/code", "1", "requires[0].code: unknown field"},
         });
  m["params"][0].erase("default");
  CHECK_FALSE(good(m).params[0].hasDefault);
}

TEST_CASE("mutations of the plan") {
  checkMutations(totalManifest(),
                 {
                     {"/workspaces/0/life", "[0]", "workspaces[0].life: expected two step numbers"},
                     {"/workspaces/0/life", "[0, 2]", "expected 0 <= first <= last < number of steps"},
                     {"/workspaces/0/life", "[1, 0]", "expected 0 <= first <= last < number of steps"},
                     {"/workspaces/0/life", "[-1, 0]", "expected 0 <= first <= last < number of steps"},
                     {"/workspaces/0/life", R"(["0", 1])", "expected two step numbers"},
                     {"/workspaces/0/life", "[0, 0]", "workspace 'sums' is used outside its life"},
                     {"/workspaces/0/bytes", R"("bytes")", "workspaces[0].bytes: unknown name 'bytes'"},
                     {"/workspaces/0/align", "64", "workspaces[0].align: unknown field"},
                     {"/workspaces/1", R"({"name": "sums", "bytes": 1, "life": [0, 0]})", "name 'sums' is taken"},
                     {"/kernels/total/symbol", R"("")", "kernels.total.symbol: expected a name"},
                     {"/kernels/total/scratch", "-1", "kernels.total.scratch: expected an integer from 0"},
                     {"/kernels/total/scratch", "99999999999", "kernels.total.scratch: expected an integer from 0"},
                     {"/kernels/total/smem", "0", "kernels.total.smem: unknown field"},
                     {"/steps/0", "{}", "steps[0]: expected a kernel, a loop or an if"},
                     {"/steps/0", "[]", "steps[0]: expected an object"},
                     {"/steps/0/body", "3", "steps[0].body: expected an array of steps"},
                     {"/steps/0/body/0/kernel", R"("pack")", "steps[0].body[0].kernel: unknown kernel 'pack'"},
                     {"/steps/0/body/0/grid", R"(["s", "g"])", "steps[0].body[0].grid: expected three expressions"},
                     {"/steps/0/body/0/grid", R"(["s", "g", "wave"])", "unknown name 'wave'"},
                     {"/steps/0/else", "[]", "steps[0].else: unknown field"},
                     {"/steps/1/loop/var", R"("s")", "steps[1].loop.var: name 's' is taken"},
                     {"/steps/1/loop/count", R"("wave")", "steps[1].loop.count: unknown name 'wave'"},
                     {"/steps/1/loop/step", "1", "steps[1].loop.step: unknown field"},
                     {"/steps/1/body/0/order", R"(["x", "y"])", "order: expected the axes x, y, z"},
                     {"/steps/1/body/0/order", "[]", "order: expected three axes"},
                     {"/steps/1/body/0/order", R"(["x", "y", "y"])", "order: expected the axes x, y, z"},
                     {"/steps/1/body/0/order", R"(["x", "y", "w"])", "order: expected the axes x, y, z"},
                     {"/steps/1/body/0/order", R"(["x", "y", "--z"])", "order: expected the axes x, y, z"},
                     {"/steps/1/body/0/order", R"(["x", "y", 3])", "order: expected the axes x, y, z"},
                     {"/steps/1/body/0/args/0", "[]", "args[0]: expected an object"},
                     {"/steps/1/body/0/args/0", "{}",
                      "args[0]: expected a role, result, pages, workspace, index, float or per_batch"},
                     {"/steps/1/body/0/args/0/workspace", R"("w")", "args[0].workspace: unknown workspace 'w'"},
                     {"/steps/1/body/0/args/0/counts", R"(["B"])", "args[0].counts: expected three expressions"},
                     {"/steps/1/body/0/args/0/strides", "", "args[0].strides: missing field"},
                     {"/steps/1/body/0/args/1/role", R"("v")", "args[1].role: unknown role 'v'"},
                     {"/steps/1/body/0/args/1/result", R"("o")", "args[1].result: unknown field"},
                     {"/steps/1/body/0/args/2/result", R"("q")", "args[2].result: unknown result 'q'"},
                     {"/steps/1/body/0/args/4/per_batch", R"("cu_q")",
                      "args[4].per_batch: expected q_offset, kv_offset or kv_len"},
                     {"/steps/1/body/0/args/5/index", "1.5", "args[5].index: expected an integer"},
                     {"/steps/1/body/0/args/5", R"({"float": "$W"})",
                      "args[5].float: expected a number or $param of a float param"},
                     {"/steps/1/body/0/args/5", R"({"float": 1e60})", "args[5].float: expected a float32 number"},
                     {"/steps/1/body/0/args/5", R"({"float": []})", "args[5].float: expected a number or $param"},
                 });
}

TEST_CASE("a loop variable is known inside its loop only, and nesting is bounded") {
  json m = totalManifest();
  m["steps"].push_back(json::parse(R"({"if": "wave", "body": []})"));
  CHECK_STATUS(parse(m), Err::ManifestField, "steps[2].if: unknown name 'wave'");
  m["steps"][2] = m["steps"][1]; // the name again in a second loop
  m["workspaces"][0]["life"] = {0, 2};
  CHECK_OK(parse(m));
  json nested = json::array();
  for (int i = 0; i < 9; ++i)
    nested = json::array({{{"if", 1}, {"body", nested}}});
  m["steps"] = nested;
  m["workspaces"] = json::array();
  CHECK_STATUS(parse(m), Err::ManifestField, "steps are nested deeper than 8");
}

TEST_CASE("no prefix and no single changed byte of a manifest crashes the reader") {
  std::string text = totalManifest().dump();
  std::vector<Manifest> out;
  for (size_t size = 0; size < text.size(); size += 7)
    CHECK(parseManifests(text.substr(0, size), out).failed());
  uint64_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::string changed = text;
    changed[(state >> 33) % text.size()] = static_cast<char>(state >> 24);
    (void)parseManifests(changed, out);
  }
}
