// Helpers of the C interface's tests (ApiSupport.h).
#include "test/runtime/ApiSupport.h"

#include "runtime/ArtefactWriter.h"

#include <cstdlib>
#include <cstring>

namespace sattn::rt::testing {

TestCompiler::TestCompiler() {
  for (const json &manifest : {axpyManifest(), totalManifest(), identifyManifest(), pagedManifest()})
    add(manifest);
}

void TestCompiler::add(const json &manifest, const std::string &code) {
  std::lock_guard lock(mutex);
  texts[manifest["pattern"]] = {manifest, code};
}

template <typename T> static void *mallocCopy(const T &bytes) {
  void *copy = std::malloc(bytes.size() + 1);
  std::memcpy(copy, bytes.c_str(), bytes.size() + 1);
  return copy;
}

sattn_status TestCompiler::compile(void *self, const sattn_spec *spec, void **bytes, size_t *size, char **error) {
  auto &compiler = *static_cast<TestCompiler *>(self);
  compiler.calls.fetch_add(1);
  if (compiler.before)
    compiler.before(*spec);
  std::lock_guard lock(compiler.mutex);
  auto found = compiler.texts.find(std::string(spec->pattern, spec->pattern_size));
  if (found == compiler.texts.end()) {
    *error = static_cast<char *>(mallocCopy(std::string("x.mlir:1:1: error: no such pattern")));
    return SATTN_COMPILE_FAILED;
  }
  auto [manifest, code] = found->second;
  manifest["bind"] = spec->bind;
  manifest["target"] = spec->target;
  manifest["build"] = compiler.build;
  std::string artefact = writeArtefact(manifest.dump(), code.empty() ? kernelCode() : code);
  *bytes = mallocCopy(artefact);
  *size = artefact.size();
  return SATTN_OK;
}

TestContext::TestContext(TestCompiler *compiler, const std::string &cacheDir,
                         const std::function<void(sattn_options &)> &change) {
  sattn_options options = {};
  options.struct_size = sizeof(options);
  options.cache_dir = cacheDir.c_str();
  options.memory_only = cacheDir.empty();
  options.threads = 2;
  options.log = log;
  options.log_user = this;
  if (change)
    change(options);
  sattn_status status = sattn_context_create(&options, &context);
  REQUIRE_MESSAGE(status == SATTN_OK, sattn_last_error());
  if (compiler)
    REQUIRE(sattn_set_compile_hook(context, TestCompiler::compile, compiler, compiler->build.c_str()) == SATTN_OK);
}

TestContext::~TestContext() { close(); }

void TestContext::close() {
  sattn_context_destroy(context);
  for (sattn_kernel *kernel : kernels)
    sattn_kernel_release(kernel);
  context = nullptr;
  kernels.clear();
}

void TestContext::log(void *self, sattn_log_level, const char *line) {
  auto &context = *static_cast<TestContext *>(self);
  std::lock_guard lock(context.mutex);
  context.logged.emplace_back(line);
}

std::vector<std::string> TestContext::lines() const {
  std::lock_guard lock(mutex);
  return logged;
}

sattn_stats_data TestContext::stats() const {
  sattn_stats_data data = {};
  data.struct_size = sizeof(data);
  REQUIRE(sattn_stats(context, &data) == SATTN_OK);
  return data;
}

static sattn_status getKernel(sattn_context *context, const json &manifest, const std::string &target,
                              sattn_kernel **out) {
  std::string pattern = manifest["pattern"], bind = manifest["bind"];
  sattn_spec spec = {};
  spec.struct_size = sizeof(spec);
  spec.pattern = pattern.c_str();
  spec.bind = bind.c_str();
  spec.target = target.empty() ? nullptr : target.c_str();
  return sattn_get(context, &spec, out);
}

sattn_kernel *TestContext::kernel(const json &manifest, const std::string &target) {
  sattn_kernel *kernel = nullptr;
  sattn_status status = getKernel(context, manifest, target, &kernel);
  REQUIRE_MESSAGE(status == SATTN_OK, sattn_last_error());
  std::lock_guard lock(mutex);
  kernels.push_back(kernel);
  return kernel;
}

sattn_status TestContext::tryGet(const json &manifest, const std::string &target) {
  sattn_kernel *kernel = nullptr;
  sattn_status status = getKernel(context, manifest, target, &kernel);
  sattn_kernel_release(kernel);
  return status;
}

static void finish(Tensor &tensor) {
  tensor.dl.device = {kDLCPU, 0};
  tensor.dl.ndim = static_cast<int>(tensor.shape.size());
  tensor.dl.dtype = {kDLFloat, 32, 1};
  tensor.dl.shape = tensor.shape.data();
  tensor.dl.strides = tensor.strides.empty() ? nullptr : tensor.strides.data();
}

Tensor::Tensor(std::vector<int64_t> sizes, float fill) : shape(std::move(sizes)) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= static_cast<size_t>(size);
  memory.assign(count, fill);
  dl.data = memory.data();
  finish(*this);
}

Tensor::Tensor(float *data, std::vector<int64_t> sizes, std::vector<int64_t> steps)
    : shape(std::move(sizes)), strides(std::move(steps)) {
  dl.data = data;
  finish(*this);
}

CallBuilder &CallBuilder::input(const char *name, Tensor &tensor) {
  inputs.push_back({name, &tensor.dl});
  return *this;
}

CallBuilder &CallBuilder::output(const char *name, Tensor &tensor) {
  outputs.push_back({name, &tensor.dl});
  return *this;
}

CallBuilder &CallBuilder::param(const char *name, int64_t value) {
  params.push_back({name, SATTN_PARAM_INT, 0, value, 0});
  return *this;
}

CallBuilder &CallBuilder::param(const char *name, double value) {
  params.push_back({name, SATTN_PARAM_FLOAT, 0, 0, value});
  return *this;
}

sattn_call *CallBuilder::get() {
  call.inputs = inputs.data();
  call.input_count = inputs.size();
  call.outputs = outputs.data();
  call.output_count = outputs.size();
  call.params = params.data();
  call.param_count = params.size();
  return &call;
}

void checkError(sattn_status actual, sattn_status status, const std::string &part) {
  CHECK_MESSAGE(actual == status, sattn_status_name(actual), ": ", sattn_last_error());
  std::string text = sattn_last_error();
  if (actual != SATTN_OK)
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
}

} // namespace sattn::rt::testing
