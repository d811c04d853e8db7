// The C interface: versions, errors, contexts, getting kernels, the cache directory. Contracts: include/sattn/sattn.h.
#include "runtime/Api.h"

#include "runtime/Environment.h"

#include <cstdlib>

using namespace sattn::rt;

namespace sattn::rt {

/// Kept in a fixed buffer when there is no memory for a text.
static thread_local std::string lastError;
static thread_local const char *lastErrorText = "";

sattn_status report(const Status &status) noexcept {
  if (status.ok()) {
    lastErrorText = "[SA0500] out of memory";
    return SATTN_OUT_OF_MEMORY;
  }
  try {
    lastError = status.text();
    lastErrorText = lastError.c_str();
  } catch (...) {
    lastErrorText = "[SA0500] out of memory";
  }
  return status.code();
}

char *copyText(const std::string &text) {
  auto *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (copy)
    std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

} // namespace sattn::rt

extern "C" {

const char *sattn_status_name(sattn_status status) {
  static const char *const names[] = {"SATTN_OK",           "SATTN_BAD_ARGUMENT", "SATTN_BAD_CALL",
                                      "SATTN_UNSUPPORTED",  "SATTN_NO_COMPILER",  "SATTN_COMPILE_FAILED",
                                      "SATTN_BAD_ARTEFACT", "SATTN_ENVIRONMENT",  "SATTN_OUT_OF_MEMORY",
                                      "SATTN_INTERNAL"};
  auto index = static_cast<size_t>(status);
  return index < std::size(names) ? names[index] : "SATTN_UNKNOWN";
}

const char *sattn_last_error(void) { return lastErrorText; }

#define SATTN_TEXT_OF(number) #number
#define SATTN_VERSION_TEXT(major, minor, patch) SATTN_TEXT_OF(major) "." SATTN_TEXT_OF(minor) "." SATTN_TEXT_OF(patch)

const char *sattn_version(void) {
  return SATTN_VERSION_TEXT(SATTN_VERSION_MAJOR, SATTN_VERSION_MINOR, SATTN_VERSION_PATCH);
}

uint32_t sattn_version_number(void) {
  return SATTN_VERSION_MAJOR * 10000 + SATTN_VERSION_MINOR * 100 + SATTN_VERSION_PATCH;
}

const char *sattn_isa_detect(void) { return targetName(detectIsa()); }

void sattn_free(void *memory) { std::free(memory); }

sattn_status sattn_context_create(const sattn_options *given, sattn_context **out) {
  return guard([&]() -> Status {
    if (!out)
      return fail<Err::NullArgument>("out");
    *out = nullptr;
    sattn_options options = {};
    if (given)
      SATTN_TRY(widen(given, "sattn_options", options));
    if (options.reserved != 0)
      return fail<Err::ReservedField>("reserved", "0");
    if (options.threads < 0 || options.threads > maxThreads)
      return fail<Err::ThreadCount>(options.threads, maxThreads);
    Environment environment = readEnvironment();
    Context::Options context;
    Isa machine = detectIsa();
    SATTN_TRY(resolveTarget(options.target ? options.target : "", machine, machine, context.target));
    context.cacheDir = options.cache_dir ? options.cache_dir : environment.cacheDir;
    context.cacheBytes = options.cache_bytes ? options.cache_bytes : uint64_t(1) << 30;
    context.memoryOnly = options.memory_only != 0;
    context.jitOff = options.jit_off != 0 || environment.jitOff;
    context.cudaLibrary = environment.cudaLibrary;
    context.jitOffReason = environment.jitOff ? "SATTN_JIT is off" : "the context's JIT is off";
    Log log(options.log, options.log_user, environment.verbose);
    if (!environment.warning.empty())
      log.warning(environment.warning);
    int threads = options.threads ? options.threads : availableThreads();
    auto engine = std::make_shared<Engine>(log, threads, options.parallel_for, options.parallel_for_user);
    *out = new sattn_context{{context, std::move(engine)}};
    return success();
  });
}

void sattn_context_destroy(sattn_context *context) { delete context; }

sattn_status sattn_set_compile_hook(sattn_context *context, sattn_compile compile, void *user, const char *build) {
  return guard([&]() -> Status {
    if (!context)
      return fail<Err::NullArgument>("context");
    if (compile && (!build || !*build))
      return fail<Err::NullArgument>("build");
    context->context.setCompileHook({compile, user, compile ? build : ""});
    return success();
  });
}

sattn_status sattn_set_device(sattn_context *context, const sattn_device *given) {
  return guard([&]() -> Status {
    if (!context || !given)
      return fail<Err::NullArgument>(context ? "device" : "context");
    sattn_device device;
    SATTN_TRY(widen(given, "sattn_device", device));
    if (!device.load || !device.launch)
      return fail<Err::NullArgument>(device.load ? "launch" : "load");
    context->context.setDevice(device);
    return success();
  });
}

/// The common case, a struct of this very version, costs no copy.
static Status readSpec(const sattn_spec *given, RawSpec &out) {
  sattn_spec copy;
  if (!given || given->struct_size != sizeof(sattn_spec)) {
    SATTN_TRY(widen(given, "sattn_spec", copy));
    given = &copy;
  }
  if (!given->pattern)
    return fail<Err::NullArgument>("pattern");
  out.pattern = given->pattern_size ? std::string_view(given->pattern, given->pattern_size) : given->pattern;
  out.bind = given->bind ? given->bind : "";
  out.target = given->target ? given->target : "";
  return success();
}

sattn_status sattn_get(sattn_context *context, const sattn_spec *given, sattn_kernel **out) {
  return guard([&]() -> Status {
    if (!context || !out)
      return fail<Err::NullArgument>(context ? "out" : "context");
    *out = nullptr;
    RawSpec spec;
    SATTN_TRY(readSpec(given, spec));
    Kernel *kernel = nullptr;
    SATTN_TRY(context->context.get(spec, kernel));
    *out = toHandle(kernel);
    return success();
  });
}

sattn_status sattn_load_bundle(sattn_context *context, const void *bytes, size_t size) {
  return guard([&]() -> Status {
    if (!context || !bytes)
      return fail<Err::NullArgument>(context ? "bytes" : "context");
    return context->context.loadBundle({static_cast<const char *>(bytes), size});
  });
}

sattn_status sattn_explain_spec(sattn_context *context, const sattn_spec *given, char **text) {
  return guard([&]() -> Status {
    if (!context || !text)
      return fail<Err::NullArgument>(context ? "text" : "context");
    *text = nullptr;
    RawSpec spec;
    SATTN_TRY(readSpec(given, spec));
    std::string out;
    SATTN_TRY(context->context.explain(spec, out));
    *text = copyText(out);
    return *text ? success() : fail<Err::OutOfMemory>();
  });
}

sattn_status sattn_stats(const sattn_context *context, sattn_stats_data *out) {
  return guard([&]() -> Status {
    if (!context)
      return fail<Err::NullArgument>("context");
    const Stats &stats = context->context.engine().stats;
    const DiskCache::Counters &disk = context->context.diskCounters();
    sattn_stats_data data = {};
    data.memory_hits = stats.memoryHits;
    data.bundle_hits = stats.bundleHits;
    data.disk_hits = stats.diskHits;
    data.compiles = stats.compiles;
    data.compile_errors = stats.compileErrors;
    data.misses = stats.misses;
    data.damaged = disk.damaged;
    data.evictions = disk.evictions;
    data.compile_ns = stats.compileNs;
    data.load_ns = stats.loadNs;
    data.runs = stats.runs;
    data.tasks = stats.tasks;
    return narrow(data, "sattn_stats_data", out);
  });
}

} // extern "C"
