// Files of the cache directory (DiskCache.h). Every path is relative to the directory's descriptor, no symbolic link is
// followed inside it.
#include "runtime/DiskCache.h"

#include "runtime/Artefact.h"
#include "runtime/Manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

namespace sattn::rt {

// ---- Names

static constexpr size_t requestDigits = 32, keyDigits = 16, codeDigits = 16;
static constexpr size_t stemSize = requestDigits + 1 + keyDigits;

static bool isHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

static bool isStem(std::string_view text) {
  return text.size() == stemSize && text[requestDigits] == '-' && isHex(text.substr(0, requestDigits)) &&
         isHex(text.substr(requestDigits + 1));
}

static bool isArtefactName(std::string_view name) {
  return name.size() == stemSize + 6 && name.ends_with(".sattn") && isStem(name.substr(0, stemSize));
}

/// A file of code beside the artefact of its stem.
static bool hasCodeName(std::string_view name, std::string_view ending) {
  return name.size() == stemSize + 1 + codeDigits + ending.size() && name.ends_with(ending) &&
         isStem(name.substr(0, stemSize)) && name[stemSize] == '-' && isHex(name.substr(stemSize + 1, codeDigits));
}

static bool isTranslationName(std::string_view name) { return hasCodeName(name, ".cubin"); }
static bool isCodeName(std::string_view name) { return hasCodeName(name, ".so") || isTranslationName(name); }

static bool isTemporaryName(std::string_view name) { return name.starts_with("tmp-"); }
static bool isLockName(std::string_view name) {
  return name.size() == 7 && name.starts_with("lock-") && isHex(name.substr(5));
}

static std::string stemOf(const Key &key) {
  return toHex(key.request, requestDigits / 2) + "-" + toHex(key.full, keyDigits / 2);
}

// ---- Opening the directory

/// mkdir -p with mode 0700.
static int makeDirectories(const std::string &path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
      return errno;
  return mkdir(path.c_str(), 0700) != 0 && errno != EEXIST ? errno : 0;
}

std::unique_ptr<DiskCache> DiskCache::open(const std::string &givenPath, uint64_t limit, const Log &log,
                                           Counters &counters, Status &status) {
  // With a slash at the end O_NOFOLLOW would follow.
  std::string path = givenPath.substr(0, givenPath.find_last_not_of('/') + 1);
  auto refuse = [&](const std::string &reason) -> std::unique_ptr<DiskCache> {
    status = fail<Err::CacheUnusable>(path.empty() ? "(none)" : path, reason);
    return nullptr;
  };
  if (path.empty())
    return refuse("set SATTN_CACHE_DIR or HOME");
  if (int error = makeDirectories(path); error && error != EEXIST)
    return refuse(errorText(error));
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!directory.valid())
    return refuse(errno == ELOOP || errno == ENOTDIR ? "it is a symbolic link or not a directory" : errorText(errno));
  if (fstat(directory.get(), &info) != 0)
    return refuse(errorText(errno));
  if (info.st_uid != geteuid())
    return refuse("it belongs to another user");
  if (info.st_mode & (S_IWGRP | S_IWOTH))
    return refuse("others may write to it (chmod 700)");
  char *real = realpath(path.c_str(), nullptr);
  std::string resolved = real ? real : path;
  free(real);
  status = success();
  return std::unique_ptr<DiskCache>(new DiskCache(std::move(directory), resolved, limit, log, counters));
}

std::vector<std::string> DiskCache::names() const {
  std::vector<std::string> result;
  // A descriptor of its own, because reading a directory moves a position.
  int fd = openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd >= 0 ? fdopendir(fd) : nullptr;
  if (!stream) {
    if (fd >= 0)
      close(fd);
    return result;
  }
  while (const dirent *entry = readdir(stream))
    result.emplace_back(entry->d_name);
  closedir(stream);
  std::sort(result.begin(), result.end());
  return result;
}

// ---- Reading

Fd DiskCache::openPlain(const std::string &name, int &error) const {
  // O_NONBLOCK: a planted pipe must not hang us.
  Fd file(openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  error = file.valid() ? 0 : errno;
  struct stat info;
  if (file.valid() && (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
                       (info.st_mode & (S_IWGRP | S_IWOTH)))) {
    error = EPERM;
    return Fd();
  }
  return file;
}

/// Whether a failed open or read says something about the file, and not about this process or the moment.
static bool isPlanted(int error) { return error == EPERM || error == ELOOP || error == EFBIG || error == EISDIR; }

static Status readFailure(const std::string &name, int error) {
  if (isPlanted(error))
    return fail<Err::NotAnArtefact>("it is not a plain file that only we can write");
  return fail<Err::CacheRead>(name, errorText(error));
}

Status DiskCache::readEntry(const std::string &stem, std::string &bytes) const {
  int error;
  Fd file = openPlain(stem + ".sattn", error);
  if (!error)
    error = readAll(file.get(), layout::maxBytes, bytes);
  if (error)
    return readFailure(stem + ".sattn", error);
  Artefact artefact;
  return Artefact::read(bytes, artefact);
}

std::string DiskCache::findStem(const Key &key, bool anyBuild) const {
  if (!anyBuild)
    return stemOf(key);
  std::string prefix = toHex(key.request, requestDigits / 2) + "-";
  for (const DiskEntry &entry : entries())
    if (entry.stem.starts_with(prefix))
      return entry.stem;
  return "";
}

bool DiskCache::has(const Key &key, bool anyBuild) const {
  std::string stem = findStem(key, anyBuild);
  return !stem.empty() && faccessat(directory.get(), (stem + ".sattn").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool DiskCache::load(const Key &key, bool anyBuild, std::string &bytes, std::string &stem) {
  stem = findStem(key, anyBuild);
  if (stem.empty())
    return false;
  std::string name = stem + ".sattn";
  if (Status status = readEntry(stem, bytes); status.failed()) {
    if (status.error() != Err::CacheRead)
      reject(stem, status.text());
    return false;
  }
  // The modification time is the time of last use, for eviction.
  utimensat(directory.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  return true;
}

Status DiskCache::readManifest(const std::string &stem, std::string &manifest) const {
  int error;
  Fd file = openPlain(stem + ".sattn", error);
  if (error)
    return readFailure(stem + ".sattn", error);
  std::string head(layout::headerSize + layout::entrySize, '\0');
  ssize_t count = pread(file.get(), head.data(), head.size(), 0);
  head.resize(count < 0 ? 0 : static_cast<size_t>(count));
  uint64_t offset, size;
  SATTN_TRY(locateManifest(head, offset, size));
  struct stat info;
  if (fstat(file.get(), &info) != 0 || offset + size > static_cast<uint64_t>(info.st_size))
    return fail<Err::SectionTable>(0, "it reaches beyond the end of the file");
  manifest.resize(size);
  if (pread(file.get(), manifest.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
    return fail<Err::NotAnArtefact>("it cannot be read");
  Digest digest = digestOf(manifest);
  if (std::memcmp(digest.data(), head.data() + layout::headerSize + 24, digest.size()) != 0)
    return fail<Err::SectionHash>(0);
  return success();
}

Fd DiskCache::openCode(const std::string &stem, std::string_view code) {
  std::string name = stem + "-" + toHex(digestOf(code), codeDigits / 2) + ".so";
  // A second round after writing; a third when another process evicted the file in between.
  for (int round = 0; round < 3; ++round) {
    int error;
    Fd file = openPlain(name, error);
    if (!error) {
      std::string found;
      if (readAll(file.get(), layout::maxBytes, found) == 0 && found == code)
        return file;
      log.warning(fail<Err::CacheDamaged>(name, "its contents are not what was written").text());
      counters.damaged.fetch_add(1, std::memory_order_relaxed);
    }
    if (error != ENOENT)
      unlinkat(directory.get(), name.c_str(), 0);
    if (int failure = writeFile(name, code)) {
      warnOnce(failure);
      return Fd();
    }
  }
  return Fd();
}

// ---- Translations: the digest of the bytes, then the bytes

static std::string translationName(const std::string &stem, std::string_view translation, std::string_view source) {
  std::string named = std::string(translation) + '\n' + std::string(source);
  return stem + "-" + toHex(digestOf(named), codeDigits / 2) + ".cubin";
}

/// Cuts the digest off; false where it is another.
static bool checkTranslation(std::string &bytes) {
  constexpr size_t size = std::tuple_size_v<Digest>;
  if (bytes.size() < size)
    return false;
  Digest digest = digestOf(std::string_view(bytes).substr(size));
  if (std::memcmp(digest.data(), bytes.data(), size) != 0)
    return false;
  bytes.erase(0, size);
  return true;
}

bool DiskCache::loadTranslation(const std::string &stem, std::string_view translation, std::string_view source,
                                std::string &bytes) {
  std::string name = translationName(stem, translation, source);
  int error;
  Fd file = openPlain(name, error);
  if (!error)
    error = readAll(file.get(), layout::maxBytes, bytes);
  if (!error && checkTranslation(bytes))
    return true;
  if (!error || isPlanted(error)) {
    log.warning(fail<Err::CacheDamaged>(name, "its contents are not what was written").text());
    counters.damaged.fetch_add(1, std::memory_order_relaxed);
    unlinkat(directory.get(), name.c_str(), 0);
  }
  return false;
}

void DiskCache::storeTranslation(const std::string &stem, std::string_view translation, std::string_view source,
                                 std::string_view bytes) {
  Digest digest = digestOf(bytes);
  std::string whole(reinterpret_cast<const char *>(digest.data()), digest.size());
  if (int error = writeFile(translationName(stem, translation, source), whole.append(bytes)))
    warnOnce(error);
}

// ---- Writing

int DiskCache::writeFile(const std::string &name, std::string_view bytes) {
  static std::atomic<uint64_t> counter{0};
  std::string temporary = "tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter.fetch_add(1));
  Fd file(openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid() && errno == EEXIST) {
    // Left by a killed process that had our number.
    unlinkat(directory.get(), temporary.c_str(), 0);
    file = Fd(openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  }
  if (!file.valid())
    return errno;
  int error = writeAll(file.get(), bytes);
  if (!error && (fchmod(file.get(), 0400) != 0 || fsync(file.get()) != 0 ||
                 renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0))
    error = errno;
  if (error)
    unlinkat(directory.get(), temporary.c_str(), 0);
  else
    fsync(directory.get());
  return error;
}

void DiskCache::warnOnce(int error) {
  if (!warned.exchange(true))
    log.warning(fail<Err::CacheWrite>(directoryPath, errorText(error)).text());
}

bool DiskCache::store(const Key &key, std::string_view bytes, std::string &stem) {
  stem = stemOf(key);
  if (int error = writeFile(stem + ".sattn", bytes)) {
    warnOnce(error);
    return false;
  }
  removeStale(false);
  evict(byteLimit, stem);
  return true;
}

Fd DiskCache::lock(const Key &key, std::chrono::milliseconds limit) const {
  std::string name = "lock-" + toHex(key.request, 1);
  Fd file(openat(directory.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file.valid())
    return Fd();
  auto end = std::chrono::steady_clock::now() + limit;
  for (auto pause = std::chrono::milliseconds(1); flock(file.get(), LOCK_EX | LOCK_NB) != 0;
       pause = std::min(pause * 2, std::chrono::milliseconds(32))) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || std::chrono::steady_clock::now() >= end)
      return Fd();
    std::this_thread::sleep_for(pause);
  }
  return file;
}

// ---- Removing

void DiskCache::remove(const std::string &stem) {
  // The artefact first: code without an artefact is found by collect(), the reverse would be rebuilt for nothing.
  unlinkat(directory.get(), (stem + ".sattn").c_str(), 0);
  for (const std::string &name : names())
    if (isCodeName(name) && name.starts_with(stem))
      unlinkat(directory.get(), name.c_str(), 0);
}

void DiskCache::reject(const std::string &stem, const std::string &reason) {
  log.warning(fail<Err::CacheDamaged>(stem + ".sattn", reason).text());
  counters.damaged.fetch_add(1, std::memory_order_relaxed);
  remove(stem);
}

std::vector<DiskEntry> DiskCache::entries() const {
  std::vector<DiskEntry> result;
  // Sorted names: an entry's code files stand next to it.
  for (const std::string &name : names()) {
    struct stat info;
    bool artefact = isArtefactName(name), code = isCodeName(name);
    if ((!artefact && !code) || fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    std::string stem = name.substr(0, stemSize);
    if (result.empty() || result.back().stem != stem)
      result.push_back({stem});
    result.back().bytes += static_cast<uint64_t>(info.st_size);
    if (artefact)
      result.back().lastUse = info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
  }
  std::erase_if(result, [](const DiskEntry &entry) { return entry.lastUse == 0; });
  std::sort(result.begin(), result.end(), [](const DiskEntry &a, const DiskEntry &b) {
    return a.lastUse != b.lastUse ? a.lastUse > b.lastUse : a.stem < b.stem;
  });
  return result;
}

size_t DiskCache::evict(uint64_t limit, const std::string &keep) {
  std::vector<DiskEntry> all = entries();
  uint64_t total = 0;
  for (const DiskEntry &entry : all)
    total += entry.bytes;
  size_t removed = 0;
  for (auto entry = all.rbegin(); entry != all.rend() && total > limit; ++entry) {
    if (entry->stem == keep)
      continue;
    remove(entry->stem);
    total -= entry->bytes;
    ++removed;
  }
  counters.evictions.fetch_add(removed, std::memory_order_relaxed);
  return removed;
}

/// Temporary files of writers that are gone (`all`: also code without an artefact). Without `all` only those older than
/// an hour, so that a process that is not seen from here, in another container, is left alone.
void DiskCache::removeStale(bool all) {
  constexpr time_t hour = 3600;
  for (const std::string &name : names()) {
    struct stat info;
    bool temporary = isTemporaryName(name), code = all && isCodeName(name);
    if ((!temporary && !code) || fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    bool stale;
    if (code) {
      stale = faccessat(directory.get(), (name.substr(0, stemSize) + ".sattn").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    } else {
      pid_t writer = static_cast<pid_t>(std::strtol(name.c_str() + 4, nullptr, 10));
      stale = time(nullptr) - info.st_mtime > hour || (all && writer > 0 && kill(writer, 0) != 0 && errno == ESRCH);
    }
    if (stale)
      unlinkat(directory.get(), name.c_str(), 0);
  }
}

Status DiskCache::verify(const std::string &stem) const {
  std::string bytes;
  SATTN_TRY(readEntry(stem, bytes));
  Artefact artefact;
  SATTN_TRY(Artefact::read(bytes, artefact));
  std::vector<Manifest> manifests;
  SATTN_TRY(parseManifests(std::string(artefact.manifest()), manifests));
  if (manifests.size() != 1 || stemOf(makeKey(manifests[0].request, manifests[0].build)) != stem)
    return fail<Err::NotAnArtefact>("its manifest belongs to another key");
  for (const std::string &name : names()) {
    if (!isCodeName(name) || !name.starts_with(stem))
      continue;
    int error;
    std::string found;
    Fd file = openPlain(name, error);
    if (!error)
      error = readAll(file.get(), layout::maxBytes, found);
    if (error)
      return readFailure(name, error);
    bool known = isTranslationName(name) && checkTranslation(found);
    for (const ArtefactSection &section : artefact.sections())
      known |= section.kind == SectionKind::Code && section.bytes == found;
    if (!known)
      return fail<Err::CodeImage>("file '" + name + "' is not the artefact's code");
  }
  return success();
}

size_t DiskCache::collect(uint64_t limit) {
  size_t removed = 0;
  for (const DiskEntry &entry : entries())
    if (Status status = verify(entry.stem); status.failed() && status.error() != Err::CacheRead) {
      reject(entry.stem, status.text());
      ++removed;
    }
  removeStale(true);
  return removed + evict(limit, "");
}

size_t DiskCache::clear() {
  size_t removed = entries().size();
  for (const std::string &name : names())
    if (isArtefactName(name) || isCodeName(name) || isTemporaryName(name) || isLockName(name))
      unlinkat(directory.get(), name.c_str(), 0);
  return removed;
}

} // namespace sattn::rt
