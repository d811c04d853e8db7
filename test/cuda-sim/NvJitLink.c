/* nvJitLink for tests without a toolkit: "machine code" is the option for the target and the text; a text without a
 * .version is refused with a log. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct Linker {
  char arch[32];
  char *cubin;
  size_t size;
  const char *error;
};

EXPORT int nvJitLinkCreate(struct Linker **linker, uint32_t count, const char **options) {
  if (count < 1 || strncmp(options[0], "-arch=sm_", 9) != 0 || strcmp(options[0], "-arch=sm_89") == 0)
    return 15;
  *linker = calloc(1, sizeof **linker);
  strncpy((*linker)->arch, options[0], sizeof(*linker)->arch - 1);
  (*linker)->error = "";
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
  if (type != 2 || size == 0 || text[size - 1] != 0 || !name)
    return 3;
  linker->size = strlen(linker->arch) + 1 + size - 1;
  linker->cubin = malloc(linker->size + 1);
  strcpy(linker->cubin, linker->arch);
  strcat(linker->cubin, "\n");
  strcat(linker->cubin, text);
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
