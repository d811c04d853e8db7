/* sattn.h as a C99 program without extensions uses it. */
#include <sattn/sattn.h>

#include <stdio.h>
#include <string.h>

static void quiet(void *user, sattn_log_level level, const char *line) {
  (void)user;
  (void)level;
  (void)line;
}

int main(void) {
  sattn_context *context = NULL;
  sattn_kernel *kernel = NULL;
  sattn_options options = {0};
  sattn_spec spec = {0};
  sattn_stats_data stats = {0};
  int failures = 0;
  options.struct_size = sizeof(options);
  options.memory_only = 1;
  options.log = quiet;
  spec.struct_size = sizeof(spec);
  spec.pattern = "sattn.pattern @window";
  spec.bind = "D=64,dtype=f32";
  stats.struct_size = sizeof(stats);
  failures += sattn_context_create(&options, &context) != SATTN_OK;
  failures += sattn_get(context, &spec, &kernel) != SATTN_NO_COMPILER;
  failures += kernel != NULL;
  failures += strstr(sattn_last_error(), "[SA0406] no kernel is cached for pattern 'window'") == NULL;
  failures += sattn_stats(context, &stats) != SATTN_OK || stats.misses != 1;
  failures += sattn_version_number() != SATTN_VERSION_MAJOR * 10000 + SATTN_VERSION_MINOR * 100 + SATTN_VERSION_PATCH;
  sattn_context_destroy(context);
  if (failures)
    fprintf(stderr, "%d failures; last error: %s\n", failures, sattn_last_error());
  return failures != 0;
}
