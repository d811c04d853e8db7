// The C interface: the cache directory, for tools. Contracts: include/sattn/sattn.h.
#include "runtime/Api.h"

using namespace sattn::rt;

/// What a visitor is shown of one entry.
static void visitEntry(const DiskCache &disk, const DiskEntry &entry, const Status &verdict, sattn_cache_visitor visit,
                       void *user) {
  std::string text, key;
  ManifestHead head;
  Status status = verdict;
  if (status.ok())
    status = disk.readManifest(entry.stem, text);
  if (status.ok())
    status = parseManifestHead(text, head);
  if (status.ok())
    key = makeKey(head.request, head.build).text();
  else
    head = {};
  std::string file = entry.stem + ".sattn";
  sattn_cache_entry shown = {};
  shown.struct_size = sizeof(shown);
  shown.file = file.c_str();
  shown.error = status.ok() ? nullptr : status.text().c_str();
  shown.key = key.c_str();
  shown.pattern = head.name.c_str();
  shown.bind = head.request.bind.c_str();
  shown.target = head.request.target.c_str();
  shown.build = head.build.c_str();
  shown.bytes = entry.bytes;
  shown.last_use = entry.lastUse / 1000000000;
  visit(user, &shown);
}

extern "C" {

const char *sattn_cache_dir(const sattn_context *context) {
  const DiskCache *disk = context ? context->context.disk() : nullptr;
  return disk ? disk->path().c_str() : nullptr;
}

sattn_status sattn_cache_list(sattn_context *context, sattn_cache_visitor visit, void *user) {
  return guard([&]() -> Status {
    if (!context || !visit)
      return fail<Err::NullArgument>(context ? "visit" : "context");
    if (const DiskCache *disk = context->context.disk())
      for (const DiskEntry &entry : disk->entries())
        visitEntry(*disk, entry, success(), visit, user);
    return success();
  });
}

sattn_status sattn_cache_verify(sattn_context *context, sattn_cache_visitor visit, void *user, size_t *damaged) {
  return guard([&]() -> Status {
    if (!context || !visit)
      return fail<Err::NullArgument>(context ? "visit" : "context");
    size_t count = 0;
    if (const DiskCache *disk = context->context.disk())
      for (const DiskEntry &entry : disk->entries()) {
        Status verdict = disk->verify(entry.stem);
        count += verdict.failed();
        visitEntry(*disk, entry, verdict, visit, user);
      }
    if (damaged)
      *damaged = count;
    return success();
  });
}

sattn_status sattn_cache_gc(sattn_context *context, uint64_t maxBytes, size_t *removed) {
  return guard([&]() -> Status {
    if (!context)
      return fail<Err::NullArgument>("context");
    DiskCache *disk = context->context.disk();
    size_t count = disk ? disk->collect(maxBytes ? maxBytes : disk->limit()) : 0;
    if (removed)
      *removed = count;
    return success();
  });
}

sattn_status sattn_cache_clear(sattn_context *context, size_t *removed) {
  return guard([&]() -> Status {
    if (!context)
      return fail<Err::NullArgument>("context");
    DiskCache *disk = context->context.disk();
    size_t count = disk ? disk->clear() : 0;
    if (removed)
      *removed = count;
    return success();
  });
}

} // extern "C"
