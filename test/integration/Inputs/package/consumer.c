/* An engine against an installed sattn: compiles a pattern in process, and averages the values that came before. */
#include <sattn/compiler.h>
#include <stdio.h>

static const char pattern[] = "sattn.pattern @mean(%q: [t, h, D], %k: [s, g, D], %v: [s, g, D]) -> (o) {\n"
                              "  %keys = sattn.set (t, s) : s <= t\n"
                              "  %z = sattn.score dot %q, %k\n"
                              "  %o = sattn.attend %z over %keys, %v\n"
                              "  sattn.yield %o\n"
                              "}\n";

int main(void) {
  float zeros[3 * 8] = {0}, values[3 * 8], means[3 * 8] = {0};
  int64_t shape[] = {1, 3, 1, 8};
  DLTensor zero = {zeros, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, shape, 0, 0}, value = zero, mean = zero;
  sattn_tensor inputs[] = {{"q", &zero}, {"k", &zero}, {"v", &value}}, outputs[] = {{"o", &mean}};
  sattn_call call = {
      .struct_size = sizeof call, .inputs = inputs, .input_count = 3, .outputs = outputs, .output_count = 1};
  sattn_spec spec = {.struct_size = sizeof spec, .pattern = pattern, .bind = "dtype=f32,D=8,group=1"};
  sattn_options options = {.struct_size = sizeof options, .memory_only = 1};
  sattn_context *context = 0;
  sattn_kernel *kernel = 0;
  value.data = values;
  mean.data = means;
  for (int i = 0; i < 3 * 8; ++i)
    values[i] = (float)(i / 8 * 2);
  if (sattn_context_create(&options, &context) || sattn_compiler_install(context) ||
      sattn_get(context, &spec, &kernel) || sattn_run(kernel, &call)) {
    printf("failed: %s\n", sattn_last_error());
    return 1;
  }
  printf("%s: means %g %g %g\n", sattn_compiler_build(), means[0], means[8], means[16]);
  sattn_kernel_release(kernel);
  sattn_context_destroy(context);
  return means[0] != 0 || means[8] != 1 || means[16] != 2;
}
