// What the files of the C interface share: the opaque types, the thread's last error, structs that grow.
#pragma once

#include "runtime/Context.h"

#include <cstring>
#include <new>

struct sattn_context {
  sattn::rt::Context context;
};

namespace sattn::rt {

inline sattn_kernel *toHandle(Kernel *kernel) { return reinterpret_cast<sattn_kernel *>(kernel); }
inline Kernel *toKernel(sattn_kernel *kernel) { return reinterpret_cast<Kernel *>(kernel); }
inline const Kernel *toKernel(const sattn_kernel *kernel) { return reinterpret_cast<const Kernel *>(kernel); }

/// Keeps the text of a failure for sattn_last_error() and returns its code.
sattn_status report(const Status &status) noexcept;

/// Runs the body of a C function: statuses are reported, exceptions end here.
template <typename Body> sattn_status guard(Body body) noexcept {
  try {
    Status status = body();
    return status.ok() ? SATTN_OK : report(status);
  } catch (const std::bad_alloc &) {
    return report({});
  } catch (...) {
    try {
      return report(fail<Err::Internal>("an unexpected exception"));
    } catch (...) {
      return report({});
    }
  }
}

/// Copies a caller's struct that begins with struct_size into this version's: fields that the caller does not have are
/// 0, fields that this version does not have must be.
template <typename T> Status widen(const T *given, const char *name, T &out) {
  if (!given)
    return fail<Err::NullArgument>(name);
  size_t size = given->struct_size;
  if (size < sizeof(size_t) * 2 || size > 1 << 16)
    return fail<Err::StructSize>(name, static_cast<uint64_t>(size), name);
  out = T();
  std::memcpy(static_cast<void *>(&out), given, std::min(size, sizeof(T)));
  const char *bytes = reinterpret_cast<const char *>(given);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0)
      return fail<Err::NewerStruct>(name, sattn_version());
  return success();
}

/// Fills a caller's struct, as much of it as the caller has. `in` has struct_size of this version.
template <typename T> Status narrow(const T &in, const char *name, T *out) {
  if (!out)
    return fail<Err::NullArgument>(name);
  size_t size = out->struct_size;
  if (size < sizeof(size_t) * 2 || size > 1 << 16)
    return fail<Err::StructSize>(name, static_cast<uint64_t>(size), name);
  std::memset(static_cast<void *>(out), 0, size);
  std::memcpy(static_cast<void *>(out), &in, std::min(size, sizeof(T)));
  out->struct_size = size;
  return success();
}

/// malloc'ed, for sattn_free(); null without memory.
char *copyText(const std::string &text);

} // namespace sattn::rt
