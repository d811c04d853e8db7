/* nvJitLink for tests without a toolkit: "machine code" is the options and the text; a text without a .version is
 * refused with a log. It makes relocatable code for all targets that it knows but sm_86. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct Linker {
  char *cubin;
  size_t size;
  const char *error;
};

static void append(struct Linker *linker, const char *text, size_t size) {
  linker->cubin = realloc(linker->cubin, linker->size + size + 1);
  memcpy(linker->cubin + linker->size, text, size);
  linker->size += size;
  linker->cubin[linker->size] = 0;
}

EXPORT int nvJitLinkCreate(struct Linker **linker, uint32_t count, const char **options) {
  if (count < 1 || strncmp(options[0], "-arch=sm_", 9) != 0 || strcmp(options[0], "-arch=sm_89") == 0)
    return 15;
  if (strcmp(options[count - 1], "-r") == 0 && strcmp(options[0], "-arch=sm_86") == 0)
    return 1;
  *linker = calloc(1, sizeof **linker);
  (*linker)->error = "";
  for (uint32_t i = 0; i < count; ++i) {
    append(*linker, options[i], strlen(options[i]));
    append(*linker, i + 1 < count ? " " : "\n", 1);
  }
  return 0;
}
EXPORT int nvJitLinkDestroy(struct Linker **linker) {
  free((*linker)->cubin);
  free(*linker);
  *linker = NULL;
  return 0;
}
EXPORT int nvJitLinkAddData(struct Linker *linker, int type, const void *data, size_t size, const char *name) {
  const char *text = data;
  int isText = type == 2 && size > 0 && text[size - 1] == 0;
  int isRelocatable = type == 1 && size > 0 && memchr(text, '\n', size) && strstr(text, " -r\n");
  if (!name || (!isText && !isRelocatable))
    return 3;
  append(linker, text, isText ? size - 1 : size);
  return 0;
}
EXPORT int nvJitLinkComplete(struct Linker *linker) {
  if (linker->cubin && strstr(linker->cubin, ".version"))
    return 0;
  linker->error = "ptxas fatal: Missing .version directive\n";
  return 4;
}
EXPORT int nvJitLinkGetLinkedCubinSize(struct Linker *linker, size_t *size) {
  *size = linker->size;
  return 0;
}
EXPORT int nvJitLinkGetLinkedCubin(struct Linker *linker, void *cubin) {
  memcpy(cubin, linker->cubin, linker->size);
  return 0;
}
EXPORT int nvJitLinkGetErrorLogSize(struct Linker *linker, size_t *size) {
  *size = strlen(linker->error) + 1;
  return 0;
}
EXPORT int nvJitLinkGetErrorLog(struct Linker *linker, char *log) {
  strcpy(log, linker->error);
  return 0;
}
EXPORT int nvJitLinkVersion(unsigned *major, unsigned *minor) {
  *major = 13;
  *minor = 0;
  return 0;
}
