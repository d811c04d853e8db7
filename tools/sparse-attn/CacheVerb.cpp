// sparse-attn cache: what is in the cache directory, whether it is sound, and making room.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <cstdlib>
#include <ctime>

namespace sattn::tool {

using nlohmann::ordered_json;

/// The directory in use; its absence is an error of these verbs.
static std::string directory(const Engine &engine) {
  const char *path = sattn_cache_dir(engine.context());
  if (!path) {
    const char *asked = std::getenv("SATTN_CACHE_DIR");
    fail(Err::MemoryOnly, asked ? asked : "(default)");
  }
  return path;
}

namespace {
struct Listing {
  ordered_json entries = ordered_json::array();
  uint64_t bytes = 0;
};
} // namespace

static void collect(void *user, const sattn_cache_entry *entry) {
  Listing &listing = *static_cast<Listing *>(user);
  ordered_json item = {{"file", entry->file}, {"bytes", entry->bytes}};
  if (entry->error)
    item["error"] = entry->error;
  else
    item.update({{"key", entry->key},
                 {"pattern", entry->pattern},
                 {"bind", entry->bind},
                 {"target", entry->target},
                 {"build", entry->build},
                 {"last_use", entry->last_use}});
  listing.bytes += entry->bytes;
  listing.entries.push_back(std::move(item));
}

static void print(const Listing &listing, const std::string &folder) {
  for (const ordered_json &item : listing.entries) {
    if (item.contains("error")) {
      fmt::print("{}  {}: {}\n", "damaged", item["file"].get<std::string>(), item["error"].get<std::string>());
      continue;
    }
    std::time_t used = item["last_use"].get<int64_t>();
    char date[32] = "";
    std::tm local{};
    if (localtime_r(&used, &local))
      std::strftime(date, sizeof date, "%Y-%m-%d %H:%M", &local);
    fmt::print("{}  {}  {:14} {:15} {:8.1f} KiB  {}\n", item["key"].get<std::string>().substr(0, 12), date,
               item["pattern"].get<std::string>(), item["target"].get<std::string>(),
               item["bytes"].get<double>() / 1024, item["bind"].get<std::string>());
  }
  fmt::print("{} entries, {:.1f} KiB in {}\n", listing.entries.size(), static_cast<double>(listing.bytes) / 1024,
             folder);
}

static int report(const Listing &listing, const std::string &folder, size_t damaged, bool json) {
  if (json)
    fmt::print("{}\n",
               ordered_json{
                   {"directory", folder}, {"bytes", listing.bytes}, {"damaged", damaged}, {"entries", listing.entries}}
                   .dump());
  else
    print(listing, folder);
  return damaged ? 1 : 0;
}

int cacheList(const CacheOptions &options) {
  Engine engine({});
  std::string folder = directory(engine);
  Listing listing;
  check(sattn_cache_list(engine.context(), collect, &listing));
  return report(listing, folder, 0, options.json);
}

int cacheVerify(const CacheOptions &options) {
  Engine engine({});
  std::string folder = directory(engine);
  Listing listing;
  size_t damaged = 0;
  check(sattn_cache_verify(engine.context(), collect, &listing, &damaged));
  return report(listing, folder, damaged, options.json);
}

static int removed(size_t count, const std::string &folder, bool json) {
  if (json)
    fmt::print("{}\n", ordered_json{{"directory", folder}, {"removed", count}}.dump());
  else
    fmt::print("removed {} entries from {}\n", count, folder);
  return 0;
}

int cacheGc(const CacheOptions &options) {
  Engine engine({});
  std::string folder = directory(engine);
  size_t count = 0;
  check(sattn_cache_gc(engine.context(), static_cast<uint64_t>(options.maxBytes), &count));
  return removed(count, folder, options.json);
}

int cacheClear(const CacheOptions &options) {
  Engine engine({});
  std::string folder = directory(engine);
  size_t count = 0;
  check(sattn_cache_clear(engine.context(), &count));
  return removed(count, folder, options.json);
}

} // namespace sattn::tool
