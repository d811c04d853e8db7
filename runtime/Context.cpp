// From specs to kernels (Context.h).
#include "runtime/Context.h"

#include "runtime/ElfImage.h"
#include "runtime/Nearest.h"

#include <cstdlib>

namespace sattn::rt {

static constexpr size_t maxPattern = 16 << 20, maxBind = 1 << 16;

Context::Context(const Options &options, std::shared_ptr<Engine> engine)
    : options(options), runEngine(std::move(engine)) {
  if (!options.memoryOnly) {
    Status status;
    diskCache = DiskCache::open(options.cacheDir, options.cacheBytes, runEngine->log, counters, status);
    if (!diskCache)
      runEngine->log.warning(status.text());
  }
  runEngine->log.event("context", "", targetName(options.target), diskCache ? diskCache->path() : "memory only");
  enroll();
}

Context::~Context() {
  withdraw();
  for (auto &[request, kernel] : kernels)
    kernel->release();
}

void Context::afterForkChild() {
  // Compilations of other threads do not go on here; their waiters are not here either.
  flights.clear();
  mutex.unlock();
}

void Context::setCompileHook(CompileHook newHook) {
  std::lock_guard lock(mutex);
  hook = std::move(newHook);
}

CompileHook Context::currentHook() {
  std::lock_guard lock(mutex);
  return hook;
}

void Context::setDevice(const sattn_device &given) {
  std::lock_guard lock(mutex);
  device = given;
}

std::optional<sattn_device> Context::currentDevice() {
  std::lock_guard lock(mutex);
  return device;
}

Status Context::loadBundle(std::string_view bytes) {
  std::unique_ptr<Bundles::Loaded> bundle;
  SATTN_TRY(Bundles::read(bytes, bundle));
  std::lock_guard lock(mutex);
  bundles.add(std::move(bundle));
  return success();
}

Kernel *Context::loadedKernel(const Digest &request) {
  std::lock_guard lock(mutex);
  auto found = kernels.find(request);
  return found == kernels.end() ? nullptr : found->second;
}

// ---- Getting

Status Context::get(const RawSpec &spec, Kernel *&out) {
  uint64_t hash = quickHash(spec);
  if (Kernel *kernel = memory.find(hash, spec)) {
    kernel->retain();
    Stats::add(runEngine->stats.memoryHits);
    out = kernel;
    return success();
  }
  return getSlowly(spec, hash, out);
}

Status Context::ask(const RawSpec &spec, Question &question) {
  if (spec.pattern.empty())
    return fail<Err::EmptyPattern>();
  if (spec.pattern.size() > maxPattern)
    return fail<Err::TextTooLong>("the pattern", static_cast<uint64_t>(spec.pattern.size()),
                                  static_cast<uint64_t>(maxPattern));
  if (spec.bind.size() > maxBind)
    return fail<Err::TextTooLong>("the bind", static_cast<uint64_t>(spec.bind.size()), static_cast<uint64_t>(maxBind));
  question.request.pattern = spec.pattern;
  SATTN_TRY(canonicalBind(spec.bind, question.request.bind));
  if (isGpuTarget(spec.target)) {
    std::shared_ptr<CudaDevices> devices;
    if (!currentDevice())
      if (Status status = openCuda(devices); status.failed())
        return fail<Err::NoDevice>(spec.target, status.text());
    question.request.target = spec.target;
  } else if (parseCudaTarget(spec.target, question.device)) {
    SATTN_TRY(resolveCuda(spec.target, question.device, question.request.target));
  } else {
    question.device = -1;
    Isa isa;
    SATTN_TRY(resolveTarget(spec.target, options.target, detectIsa(), isa));
    question.request.target = targetName(isa);
  }
  question.exact = !spec.target.empty() && spec.target != "cpu";
  question.key = makeKey(question.request, currentHook().build);
  return success();
}

Status Context::getSlowly(const RawSpec &spec, uint64_t hash, Kernel *&out) {
  Question question;
  SATTN_TRY(ask(spec, question));
  FlightKey flightKey(question.key.request, question.exact);
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock(mutex);
    // Another thread may have been quicker, or the same kernel is known by another spelling of the spec.
    Kernel *known = memory.find(hash, spec);
    if (auto found = kernels.find(question.key.request); !known && found != kernels.end()) {
      known = found->second;
      memory.insert(hash, spec, known);
    }
    if (known) {
      known->retain();
      Stats::add(runEngine->stats.memoryHits);
      out = known;
      return success();
    }
    std::shared_ptr<Flight> &place = flights[flightKey];
    if (place) {
      flight = place;
      flight->landed.wait(lock, [&] { return flight->done; });
      if (flight->kernel)
        flight->kernel->retain();
      out = flight->kernel;
      return flight->status;
    }
    flight = place = std::make_shared<Flight>();
  }
  // Whatever happens, those who wait are told.
  Kernel *kernel = nullptr;
  Status status = fail<Err::OutOfMemory>();
  try {
    status = produce(question, kernel);
  } catch (const std::bad_alloc &) {
    kernel = nullptr;
  } catch (...) {
    kernel = nullptr;
    status = fail<Err::Internal>("an exception came out of the compile hook");
  }
  std::lock_guard lock(mutex);
  flights.erase(flightKey);
  if (kernel) {
    // The kernel of a lower level goes under its own name; this spelling of the spec finds it all the same.
    auto [place, isNew] = kernels.emplace(makeKey(kernel->manifest().request, "").request, kernel);
    if (!isNew && place->second != kernel) {
      kernel->release();
      kernel = place->second;
    }
    if (!memory.find(hash, spec))
      memory.insert(hash, spec, kernel);
    kernel->retain();
  }
  flight->status = status;
  flight->kernel = kernel;
  flight->done = true;
  flight->landed.notify_all();
  out = kernel;
  return status;
}

Status Context::produce(const Question &question, Kernel *&out) {
  Status status;
  if (fromBundle(question, status, out) || status.failed())
    return status;
  if (fromDisk(question, out))
    return success();
  if (!options.jitOff && currentHook().function)
    return compile(question, out);
  if (!question.exact && fromLowerLevel(question, out))
    return success();
  Stats::add(runEngine->stats.misses);
  return noCompiler(question);
}

bool Context::fromBundle(const Question &question, Status &status, Kernel *&out) {
  Bundles::Entry entry;
  {
    std::lock_guard lock(mutex);
    if (!bundles.find(question.key.request, entry))
      return false;
  }
  Stopwatch watch;
  status = loadKernel(*entry.manifest, entry.code, nullptr, question.device, out);
  if (status.failed())
    return false;
  Stats::add(runEngine->stats.bundleHits);
  runEngine->log.event("bundle", out->manifest().name, question.request.target, "key=" + out->keyText(),
                       watch.elapsed());
  return true;
}

bool Context::fromDisk(const Question &question, Kernel *&out) {
  if (!diskCache)
    return false;
  Stopwatch watch;
  std::string bytes, stem;
  if (!diskCache->load(question.key, !currentHook().function, bytes, stem))
    return false;
  Artefact artefact;
  std::vector<Manifest> manifests;
  Status status = Artefact::read(bytes, artefact);
  if (status.ok())
    status = parseManifests(std::string(artefact.manifest()), manifests);
  if (status.ok() &&
      (manifests.size() != 1 || manifests[0].request.pattern != question.request.pattern ||
       manifests[0].request.bind != question.request.bind || manifests[0].request.target != question.request.target))
    status = fail<Err::NotAnArtefact>("its manifest belongs to another key");
  if (status.ok())
    status = loadKernel(std::move(manifests[0]), artefact.code(manifests[0].code), &stem, question.device, out);
  if (status.failed()) {
    // What the environment refuses now says nothing about the file.
    if (status.code() == SATTN_BAD_ARTEFACT)
      diskCache->reject(stem, status.text());
    return false;
  }
  Stats::add(runEngine->stats.diskHits);
  runEngine->log.event("disk", out->manifest().name, question.request.target, "key=" + out->keyText(), watch.elapsed());
  return true;
}

/// The next lower levels in turn, for a machine that is newer than the bundle it runs.
bool Context::fromLowerLevel(const Question &question, Kernel *&out) {
  Isa isa;
  if (!parseTarget(question.request.target, isa))
    return false;
  for (int level = static_cast<int>(isa) - 1; level >= 0; --level) {
    Question lower = question;
    lower.request.target = targetName(static_cast<Isa>(level));
    lower.key = makeKey(lower.request, "");
    if ((out = loadedKernel(lower.key.request)))
      return true;
    Status status;
    if (fromBundle(lower, status, out) || fromDisk(lower, out))
      return true;
  }
  return false;
}

// ---- Compiling

Status Context::callHook(const Question &question, std::string &bytes) {
  CompileHook compiler = currentHook();
  sattn_spec spec = {};
  spec.struct_size = sizeof(spec);
  spec.pattern = question.request.pattern.c_str();
  spec.pattern_size = question.request.pattern.size();
  spec.bind = question.request.bind.c_str();
  spec.target = question.request.target.c_str();
  void *memory = nullptr;
  size_t size = 0;
  char *error = nullptr;
  sattn_status result = compiler.function(compiler.user, &spec, &memory, &size, &error);
  std::unique_ptr<void, decltype(&std::free)> ownMemory(memory, std::free), ownError(error, std::free);
  if (result != SATTN_OK || !memory)
    return fail<Err::CompileFailed>(error ? error : "the compile hook failed without a text");
  bytes.assign(static_cast<const char *>(memory), size);
  return success();
}

Status Context::checkCompiled(const Question &question, std::string_view bytes, Manifest &manifest,
                              std::string_view &code) {
  Artefact artefact;
  std::vector<Manifest> manifests;
  SATTN_TRY(Artefact::read(bytes, artefact));
  SATTN_TRY(parseManifests(std::string(artefact.manifest()), manifests));
  if (manifests.size() != 1)
    return fail<Err::WrongArtefact>("the number of kernels");
  manifest = std::move(manifests[0]);
  code = artefact.code(manifest.code);
  if (manifest.request.pattern != question.request.pattern)
    return fail<Err::WrongArtefact>("the pattern");
  if (manifest.request.bind != question.request.bind)
    return fail<Err::WrongArtefact>("the bind");
  if (manifest.request.target != question.request.target)
    return fail<Err::WrongArtefact>("the target");
  if (manifest.build != currentHook().build)
    return fail<Err::WrongArtefact>("the build");
  return success();
}

Status Context::compile(const Question &question, Kernel *&out) {
  // Another process may be at it: one of us compiles, the others read what it wrote.
  Fd lock = diskCache ? diskCache->lock(question.key) : Fd();
  if (lock.valid() && fromDisk(question, out))
    return success();
  Stopwatch watch;
  std::string bytes;
  Manifest manifest;
  std::string_view code;
  Status status = callHook(question, bytes);
  if (status.ok())
    status = checkCompiled(question, bytes, manifest, code);
  std::chrono::nanoseconds time = watch.elapsed();
  Stats::add(runEngine->stats.compileNs, static_cast<uint64_t>(time.count()));
  std::string stem;
  bool stored = false;
  if (status.ok()) {
    stored = diskCache && diskCache->store(question.key, bytes, stem);
    status = loadKernel(std::move(manifest), code, stored ? &stem : nullptr, question.device, out);
  }
  if (status.failed()) {
    if (stored && status.code() == SATTN_BAD_ARTEFACT)
      diskCache->reject(stem, status.text());
    Stats::add(runEngine->stats.compileErrors);
    runEngine->log.event("compile-error", patternName(question.request.pattern), question.request.target, status.text(),
                         time);
    return status;
  }
  Stats::add(runEngine->stats.compiles);
  runEngine->log.event("compile", out->manifest().name, question.request.target, "key=" + out->keyText(), time);
  return status;
}

Status Context::loadKernel(Manifest manifest, std::string_view code, const std::string *stem, int device,
                           Kernel *&out) {
  if (isGpuTarget(manifest.request.target))
    return loadDeviceKernel(std::move(manifest), code, stem, device, out);
  Stopwatch watch;
  ElfImage image;
  SATTN_TRY(ElfImage::read(code, image));
  for (const KernelInfo &kernel : manifest.kernels)
    if (!image.defines(kernel.symbol))
      return fail<Err::MissingSymbol>(kernel.symbol, kernel.name);
  Isa isa;
  SATTN_TRY(resolveTarget(manifest.request.target, options.target, detectIsa(), isa));
  SATTN_TRY(acquireIsa(isa));
  std::unique_ptr<LoadedCode> loaded;
  if (stem) {
    Fd file = diskCache->openCode(*stem, code);
    Status status = file.valid() ? LoadedCode::load(file, false, manifest.name, manifest.kernels, loaded) : success();
    // A directory that may not hold executable code (mounted noexec) is still a cache of artefacts.
    if (status.failed() && !warnedNoExec.exchange(true))
      runEngine->log.warning(status.text() + "; its code is loaded from memory");
  }
  if (!loaded)
    SATTN_TRY(LoadedCode::loadBytes(code, manifest.name, manifest.kernels, loaded));
  out = new Kernel(runEngine, std::move(manifest), std::move(loaded));
  Stats::add(runEngine->stats.loadNs, static_cast<uint64_t>(watch.elapsed().count()));
  return success();
}

Status Context::openCuda(std::shared_ptr<CudaDevices> &out) {
  std::lock_guard lock(cudaMutex);
  if (!cuda)
    SATTN_TRY(CudaDevices::open(options.cudaLibrary, cuda));
  out = cuda;
  return success();
}

Status Context::resolveCuda(std::string_view name, int ordinal, std::string &target) {
  if (currentDevice())
    return fail<Err::OtherDevice>(name);
  std::shared_ptr<CudaDevices> devices;
  SATTN_TRY(openCuda(devices));
  const CudaDeviceInfo *info = nullptr;
  SATTN_TRY(devices->device(ordinal, info));
  target = nearestGpuTarget(info->capability);
  return target.empty() ? fail<Err::CudaTooOld>(info->description()) : success();
}

Status Context::loadDeviceKernel(Manifest manifest, std::string_view code, const std::string *stem, int device,
                                 Kernel *&out) {
  Stopwatch watch;
  std::unique_ptr<DeviceCode> loaded;
  if (std::optional<sattn_device> runner = currentDevice()) {
    SATTN_TRY(loadWithHooks(*runner, manifest, code, loaded));
  } else {
    std::shared_ptr<CudaDevices> devices;
    SATTN_TRY(openCuda(devices));
    if (device < 0) {
      const CudaDeviceInfo *info = nullptr;
      SATTN_TRY(devices->deviceFor(manifest.request.target, info));
      device = info->ordinal;
    }
    CudaCode::Store store = {stem ? diskCache.get() : nullptr, stem ? *stem : ""};
    SATTN_TRY(CudaCode::load(std::move(devices), device, manifest, code, store, loaded));
  }
  out = new Kernel(runEngine, std::move(manifest), std::move(loaded));
  Stats::add(runEngine->stats.loadNs, static_cast<uint64_t>(watch.elapsed().count()));
  return success();
}

// ---- Missing

std::vector<ManifestHead> Context::cachedHeads() {
  // A directory of thousands of entries would make an error slow; the most recently used ones tell enough.
  constexpr size_t diskHeads = 512;
  std::vector<ManifestHead> heads;
  {
    std::lock_guard lock(mutex);
    for (const auto &[request, kernel] : kernels)
      heads.push_back({kernel->manifest().name, kernel->manifest().build, kernel->manifest().request});
    bundles.appendHeads(heads);
  }
  if (!diskCache)
    return heads;
  size_t read = 0;
  for (const DiskEntry &entry : diskCache->entries()) {
    std::string text;
    ManifestHead head;
    if (read++ == diskHeads)
      break;
    if (diskCache->readManifest(entry.stem, text).ok() && parseManifestHead(text, head).ok())
      heads.push_back(std::move(head));
  }
  return heads;
}

Status Context::noCompiler(const Question &question) {
  CompileHook compiler = currentHook();
  std::string nearest = describeNearest(question.request, compiler.build, cachedHeads());
  std::string why = compiler.function ? options.jitOffReason : "there is no compiler";
  std::string key = compiler.build.empty() ? toHex(question.key.request) : question.key.text();
  Status status = fail<Err::NoCompiler>(patternName(question.request.pattern), question.request.bind,
                                        question.request.target, key, why, nearest);
  runEngine->log.event("miss", patternName(question.request.pattern), question.request.target, nearest);
  return status;
}

Status Context::explain(const RawSpec &spec, std::string &out) {
  Question question;
  SATTN_TRY(ask(spec, question));
  CompileHook compiler = currentHook();
  out = "pattern  " + patternName(question.request.pattern) + " (" + std::to_string(spec.pattern.size()) + " bytes)\n";
  out += "bind     " + question.request.bind + "\n";
  out += "target   " + question.request.target + (question.exact ? "" : " (the context's)") + "\n";
  out += "build    " + (compiler.build.empty() ? "any (no compiler)" : compiler.build) + "\n";
  out += "request  " + toHex(question.key.request) + "\n";
  if (!compiler.build.empty())
    out += "key      " + question.key.text() + "\n";
  Bundles::Entry entry;
  bool inBundle;
  {
    std::lock_guard lock(mutex);
    inBundle = bundles.find(question.key.request, entry);
  }
  out += "source   ";
  if (loadedKernel(question.key.request))
    out += "memory\n";
  else if (inBundle)
    out += "bundle\n";
  else if (diskCache && diskCache->has(question.key, !compiler.function))
    out += "disk, " + diskCache->path() + "\n";
  else if (compiler.function && !options.jitOff)
    out += "compiler; " + describeNearest(question.request, compiler.build, cachedHeads()) + "\n";
  else
    out += "none: " + std::string(compiler.function ? options.jitOffReason : "there is no compiler") + "; " +
           describeNearest(question.request, compiler.build, cachedHeads()) + "\n";
  return success();
}

} // namespace sattn::rt
