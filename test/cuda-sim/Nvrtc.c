/* NVRTC for tests without a toolkit: the PTX of every source is the text of the file that SATTN_NVRTC_SIM names. A
 * source with the word `undeclared` is refused in NVRTC's format, at its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct Program {
  char *source, *name, *ptx;
  char log[512];
};

EXPORT int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return 0;
}
EXPORT const char *nvrtcGetErrorString(int result) {
  return result == 5 ? "NVRTC_ERROR_INVALID_OPTION" : "NVRTC_ERROR_COMPILATION";
}
EXPORT int nvrtcCreateProgram(struct Program **program, const char *source, const char *name, int headers,
                              const char *const *texts, const char *const *names) {
  (void)texts, (void)names;
  if (headers != 0)
    return 3;
  *program = calloc(1, sizeof **program);
  (*program)->source = strdup(source);
  (*program)->name = strdup(name);
  return 0;
}
EXPORT int nvrtcDestroyProgram(struct Program **program) {
  free((*program)->source);
  free((*program)->name);
  free((*program)->ptx);
  free(*program);
  *program = NULL;
  return 0;
}

static int refuse(struct Program *program, const char *word) {
  int line = 1;
  const char *start = program->source;
  for (const char *at = start; at < word; ++at)
    if (*at == '\n') {
      ++line;
      start = at + 1;
    }
  int length = (int)strcspn(start, "\n"), column = (int)(word - start);
  snprintf(program->log, sizeof program->log,
           "%s(%d): error: identifier \"undeclared\" is undefined\n  %.*s\n  %*s^\n\n1 error detected in the "
           "compilation of \"%s\".\n",
           program->name, line, length, start, column, "", program->name);
  return 6;
}

EXPORT int nvrtcCompileProgram(struct Program *program, int count, const char *const *options) {
  if (count < 1 || strncmp(options[0], "--gpu-architecture=compute_", 27) != 0 || strstr(options[0], "_89"))
    return 5;
  const char *word = strstr(program->source, "undeclared");
  if (word)
    return refuse(program, word);
  const char *path = getenv("SATTN_NVRTC_SIM");
  FILE *file = path ? fopen(path, "rb") : NULL;
  if (!file)
    return 6;
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  program->ptx = calloc(1, size + 1);
  size_t read = fread(program->ptx, 1, size, file);
  fclose(file);
  return read == size ? 0 : 6;
}
EXPORT int nvrtcGetPTXSize(struct Program *program, size_t *size) {
  *size = program->ptx ? strlen(program->ptx) + 1 : 0;
  return 0;
}
EXPORT int nvrtcGetPTX(struct Program *program, char *ptx) {
  strcpy(ptx, program->ptx);
  return 0;
}
EXPORT int nvrtcGetProgramLogSize(struct Program *program, size_t *size) {
  *size = strlen(program->log) + 1;
  return 0;
}
EXPORT int nvrtcGetProgramLog(struct Program *program, char *log) {
  strcpy(log, program->log);
  return 0;
}
