// Preloaded into a process that writes a cache: the N-th of its system calls on a temporary file of the cache ends it
// by SIGKILL, before the call or, for a write, after half of the bytes. N is $SATTN_KILL_AT; the C library does the
// rest.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int temporary = -1; // descriptor of the file that is being written
static int calls;

static int isLast(void) {
  const char *text = getenv("SATTN_KILL_AT");
  return text && ++calls == atoi(text);
}
static void end(void) { kill(getpid(), SIGKILL); }
static int isTemporary(const char *path) { return strncmp(path, "tmp-", 4) == 0; }
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (isTemporary(path) && isLast())
    end();
  int file = NEXT(openat)(folder, path, flags, mode);
  if (isTemporary(path))
    temporary = file;
  return file;
}

ssize_t write(int file, const void *bytes, size_t size) {
  if (file == temporary && isLast()) {
    (void)!NEXT(write)(file, bytes, size / 2);
    end();
  }
  return NEXT(write)(file, bytes, size);
}

int fchmod(int file, mode_t mode) {
  if (file == temporary && isLast())
    end();
  return NEXT(fchmod)(file, mode);
}

int fsync(int file) {
  if (temporary >= 0 && isLast())
    end();
  return NEXT(fsync)(file);
}

int renameat(int from, const char *old, int to, const char *path) {
  if (isTemporary(old) && isLast())
    end();
  return NEXT(renameat)(from, old, to, path);
}
