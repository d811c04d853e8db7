// The cache directory: artefacts and their code as plain files, 0400, in a 0700 directory of ours.
//   REQUEST-KEY.sattn        the artefact; REQUEST: 32 hex digits of Key::request, KEY: 16 of Key::full
//   REQUEST-KEY-CODE.so      its code section, for the dynamic linker; CODE: 16 hex digits of its hash
//   REQUEST-KEY-CODE.cubin   what the driver of a GPU made of its code section; CODE: of the section and the driver
//   tmp-PID-N, lock-XX       files being written; advisory locks
// Files appear by rename() after fsync() only and are verified whenever they are read, so neither a killed writer nor a
// damaged disk can give a wrong kernel. Locks spare work and are never needed. Safe for any number of processes.
#pragma once

#include "runtime/File.h"
#include "runtime/Key.h"
#include "runtime/Log.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace sattn::rt {

/// One artefact of the directory.
struct DiskEntry {
  std::string stem;    ///< "REQUEST-KEY"
  uint64_t bytes = 0;  ///< with its code file
  int64_t lastUse = 0; ///< nanoseconds since 1970
};

class DiskCache {
public:
  struct Counters {
    std::atomic<uint64_t> damaged{0}, evictions{0};
  };

  /// Opens `path`, creating it (and its parents) if need be. Null, with the reason in `status`, when it is not a
  /// directory, a symbolic link, not owned by the effective user, or writable for others. `log` and `counters` must
  /// outlive the cache.
  static std::unique_ptr<DiskCache> open(const std::string &path, uint64_t limit, const Log &log, Counters &counters,
                                         Status &status);

  const std::string &path() const { return directoryPath; }

  /// Reads the artefact of `key`; of any build, the newest, if `anyBuild`. True with verified bytes and the stem, whose
  /// last use becomes now. A damaged file is logged and removed, and counts as absent.
  bool load(const Key &key, bool anyBuild, std::string &bytes, std::string &stem);

  /// Whether load() would find a file, without reading it.
  bool has(const Key &key, bool anyBuild) const;

  /// Writes an artefact and then evicts what is beyond the limit, never `key` itself. The stem is set in any case.
  /// False when it could not be written (one warning for the life of the cache).
  bool store(const Key &key, std::string_view bytes, std::string &stem);

  /// A file that holds exactly `code`, the code section of the artefact `stem`; written if it is not there. Not valid
  /// if that is impossible.
  Fd openCode(const std::string &stem, std::string_view code);

  /// What a translator (a driver and the processor it translates for, named by `translation`) made of `source`, the
  /// code section of the artefact `stem`. False if it is not there; a damaged file is logged and removed.
  bool loadTranslation(const std::string &stem, std::string_view translation, std::string_view source,
                       std::string &bytes);
  /// Keeps it; where that is impossible, it is translated again.
  void storeTranslation(const std::string &stem, std::string_view translation, std::string_view source,
                        std::string_view bytes);

  /// Removes an entry whose contents were found wrong by the caller, with one log line.
  void reject(const std::string &stem, const std::string &reason);

  /// Waits for other compilers of the same key, for `limit` at most. Not valid if the lock was not to be had.
  Fd lock(const Key &key, std::chrono::milliseconds limit = std::chrono::seconds(20)) const;

  /// Last used first.
  std::vector<DiskEntry> entries() const;

  /// The manifest section of an entry, its hash checked, without reading its code.
  Status readManifest(const std::string &stem, std::string &manifest) const;

  /// Reads and checks everything of an entry, its code file included.
  Status verify(const std::string &stem) const;

  /// Removes damaged entries, files without an entry, what killed writers left, and then the least recently used
  /// entries beyond `limit` bytes. Returns the number of entries removed.
  size_t collect(uint64_t limit);

  /// Removes all our files. Returns the number of entries removed.
  size_t clear();

  uint64_t limit() const { return byteLimit; }

private:
  DiskCache(Fd directory, std::string path, uint64_t limit, const Log &log, Counters &counters)
      : directory(std::move(directory)), directoryPath(std::move(path)), byteLimit(limit), log(log),
        counters(counters) {}

  std::vector<std::string> names() const;
  /// Opens a file of ours for reading: a plain file, owned by us, not writable for others. errno value in `error`.
  Fd openPlain(const std::string &name, int &error) const;
  /// The stem load() reads: the key's own, or the newest of its request; "" if there is none.
  std::string findStem(const Key &key, bool anyBuild) const;
  Status readEntry(const std::string &stem, std::string &bytes) const;
  /// tmp file, fsync, rename. 0 or an errno value.
  int writeFile(const std::string &name, std::string_view bytes);
  void warnOnce(int error);
  void remove(const std::string &stem);
  size_t evict(uint64_t limit, const std::string &keep);
  void removeStale(bool all);

  Fd directory;
  std::string directoryPath;
  uint64_t byteLimit;
  const Log &log;
  Counters &counters;
  std::atomic<bool> warned{false};
};

} // namespace sattn::rt
