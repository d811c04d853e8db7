/* An engine in C99: hands the compiler to the runtime, compiles a pattern, runs it, and compares with its own loop. */
#include <sattn/compiler.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 37, H = 2, D = 16 };

static const char pattern[] =
    "sattn.pattern @causal<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, D]) -> (o) {\n"
    "  %keys = sattn.set (t, s) : s <= t\n"
    "  %z = sattn.score dot %q, %k scale(scale)\n"
    "  %o = sattn.attend %z over %keys, %v\n"
    "  sattn.yield %o\n"
    "}\n";

static int failures = 0;

static void expect(int holds, const char *what) {
  if (!holds) {
    printf("FAILED: %s (%s)\n", what, sattn_last_error());
    ++failures;
  }
}

static DLTensor tensor(float *data, int64_t *shape) {
  DLTensor made;
  memset(&made, 0, sizeof made);
  made.data = data;
  made.device.device_type = kDLCPU;
  made.ndim = 4;
  made.dtype.code = kDLFloat;
  made.dtype.bits = 32;
  made.dtype.lanes = 1;
  made.shape = shape;
  return made;
}

static double reference(const float *q, const float *k, const float *v, int t, int h, int d) {
  double weights[T], sum = 0, largest = -1e30, value = 0;
  int s, i;
  for (s = 0; s <= t; ++s) {
    weights[s] = 0;
    for (i = 0; i < D; ++i)
      weights[s] += (double)q[(t * H + h) * D + i] * k[(s * H + h) * D + i];
    weights[s] /= sqrt((double)D);
    largest = weights[s] > largest ? weights[s] : largest;
  }
  for (s = 0; s <= t; ++s) {
    weights[s] = exp(weights[s] - largest);
    sum += weights[s];
    value += weights[s] * v[(s * H + h) * D + d];
  }
  return value / sum;
}

static void run(sattn_kernel *kernel) {
  static float q[T * H * D], k[T * H * D], v[T * H * D], o[T * H * D];
  int64_t shape[4] = {1, T, H, D};
  DLTensor tensors[4];
  sattn_tensor inputs[3], outputs[1];
  sattn_call call;
  double worst = 0;
  int i, t, h, d;
  for (i = 0; i < T * H * D; ++i) {
    q[i] = (float)(i * 7 % 13 - 6) / 4;
    k[i] = (float)(i * 5 % 11 - 5) / 4;
    v[i] = (float)(i * 3 % 17 - 8) / 4;
  }
  tensors[0] = tensor(q, shape);
  tensors[1] = tensor(k, shape);
  tensors[2] = tensor(v, shape);
  tensors[3] = tensor(o, shape);
  for (i = 0; i < 3; ++i) {
    static const char *names[] = {"q", "k", "v"};
    inputs[i].name = names[i];
    inputs[i].tensor = &tensors[i];
  }
  outputs[0].name = "o";
  outputs[0].tensor = &tensors[3];
  memset(&call, 0, sizeof call);
  call.struct_size = sizeof call;
  call.inputs = inputs;
  call.input_count = 3;
  call.outputs = outputs;
  call.output_count = 1;
  expect(sattn_run(kernel, &call) == SATTN_OK, "the kernel runs");
  for (t = 0; t < T; ++t)
    for (h = 0; h < H; ++h)
      for (d = 0; d < D; ++d) {
        double error = fabs(reference(q, k, v, t, h, d) - o[(t * H + h) * D + d]);
        worst = error > worst ? error : worst;
      }
  expect(worst < 1e-5, "the kernel agrees with the formula");
}

static void compileAndRun(void) {
  sattn_options options;
  sattn_context *context = NULL;
  sattn_kernel *kernel = NULL;
  sattn_spec spec;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.memory_only = 1;
  expect(sattn_context_create(&options, &context) == SATTN_OK, "a context is made");
  expect(sattn_compiler_install(context) == SATTN_OK, "the compiler is handed over");
  memset(&spec, 0, sizeof spec);
  spec.struct_size = sizeof spec;
  spec.pattern = pattern;
  spec.bind = "dtype=f32,D=16,group=1";
  expect(sattn_get(context, &spec, &kernel) == SATTN_OK, "the pattern compiles");
  if (kernel) {
    expect(strcmp(sattn_kernel_build(kernel), sattn_compiler_build()) == 0, "the kernel names its compiler");
    run(kernel);
    sattn_kernel_release(kernel);
  }
  sattn_context_destroy(context);
}

/* Both texts are freed here. */
static void expectText(sattn_status status, sattn_status wanted, char *text, const char *part) {
  expect(status == wanted, part);
  expect(text && strstr(text, part), part);
  sattn_free(text);
}

static void describeIt(void) {
  char *json = NULL, *text = NULL;
  expect(sattn_compiler_describe(pattern, 0, "causal.mlir", NULL, &json, &text) == SATTN_OK,
         "the pattern is described");
  expect(json && strstr(json, "\"name\":\"causal\"") && strstr(json, "\"axes\":[\"t\",\"h\",\"D\"]"), "with its roles");
  sattn_free(json);
  json = NULL;
  expectText(sattn_compiler_describe("sattn.pattern", 0, "bad.mlir", NULL, &json, &text), SATTN_COMPILE_FAILED, text,
             "bad.mlir:1:");
  expectText(sattn_compiler_describe(NULL, 0, NULL, NULL, &json, &text), SATTN_BAD_ARGUMENT, text,
             "[SA0300] a null pointer was given to sattn_compiler_describe: every argument is needed");
  expectText(sattn_compiler_describe(pattern, 0, NULL, "no equals sign", &json, &text), SATTN_COMPILE_FAILED, text,
             "no equals");
}

static void stages(void) {
  static const struct {
    const char *stage, *part;
  } cases[] = {{"0-pattern", "sattn.attend"}, {"1-fused", "sattn.finalize"}, {"2-tile", "sattn_tile.program"},
               {"3-cpu.ll", "define void"},   {"4-cpu.s", ".text"},          {"5-artefact", "SATTNART"}};
  sattn_spec spec;
  sattn_compile_options options;
  void *bytes = NULL;
  size_t size = 0, i;
  char *text = NULL;
  memset(&spec, 0, sizeof spec);
  spec.struct_size = sizeof spec;
  spec.pattern = pattern;
  spec.pattern_size = sizeof pattern - 1;
  spec.bind = "group=1,D=16,dtype=f32";
  spec.target = "cpu-avx2";
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
    options.stop_after = cases[i].stage;
    expect(sattn_compiler_compile(&spec, &options, &bytes, &size, &text) == SATTN_OK, cases[i].stage);
    expect(bytes && size && strstr((char *)bytes, cases[i].part), cases[i].part);
    sattn_free(bytes);
    sattn_free(text);
    bytes = NULL;
  }
  options.stop_after = "6-none";
  expectText(
      sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
      "[SA0253] unknown stage in 'stop_after': stages are 0-pattern, 1-fused, 2-tile, 3-cpu.ll, 4-cpu.s, 5-artefact");
  options.stop_after = NULL;
  options.override_stage = "0-pattern";
  expectText(sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
             "[SA0254] stage in 'override_stage' cannot be overridden: 1-fused, 2-tile, 3-cpu.ll and 4-cpu.s can");
  options.override_stage = "2-tile";
  expectText(sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
             "[SA0255] 'override_stage' is given without 'override_text': give both or none");
  options.override_text = "sattn_tile.nonsense";
  expectText(sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_COMPILE_FAILED, text,
             "2-tile override:1:1: error:");
  memset(&options, 0, sizeof options);
  expectText(
      sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
      "[SA0301] 'struct_size' of sattn_compile_options is not its size: set it to sizeof(sattn_compile_options)");
  options.struct_size = sizeof options;
  options.dump_dir = "/nonexistent";
  expectText(sattn_compiler_compile(&spec, &options, &bytes, &size, &text), SATTN_COMPILE_FAILED, text, "[SA0252]");
  spec.target = "cpu-i386";
  expectText(sattn_compiler_compile(&spec, NULL, &bytes, &size, &text), SATTN_COMPILE_FAILED, text, "[SA0251]");
  spec.struct_size = 1;
  expectText(sattn_compiler_compile(&spec, NULL, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
             "[SA0301] 'struct_size' of sattn_spec is not its size: set it to sizeof(sattn_spec)");
  expectText(sattn_compiler_compile(NULL, NULL, &bytes, &size, &text), SATTN_BAD_ARGUMENT, text,
             "[SA0300] a null pointer was given to sattn_compiler_compile: every argument is needed");
}

int main(void) {
  compileAndRun();
  describeIt();
  stages();
  printf("%d failed\n", failures);
  return failures != 0;
}
