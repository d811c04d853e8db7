/* One compile serves every shape: batches, lengths, heads, offsets, strides and dynamic params change from call to
 * call, while the counters of the context stay at one compile. Each result is compared with a loop in float64. */
#include <sattn/compiler.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 16, GROUP = 2, CALLS = 20 };

static const char pattern[] =
    "sattn.pattern @window<W: int = 8, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, D]) -> (o) {\n"
    "  %keys = sattn.set (t, s) : 0 <= t - s < W\n"
    "  %z = sattn.score dot %q, %k scale(scale)\n"
    "  %o = sattn.attend %z over %keys, %v\n"
    "  sattn.yield %o\n"
    "}\n";

static int failures = 0;

static void expect(int holds, const char *what, int call) {
  if (!holds) {
    printf("FAILED: %s in call %d (%s)\n", what, call, sattn_last_error());
    ++failures;
  }
}

/* A tensor [B, positions, heads, D] in memory of its own; odd calls keep heads outside positions. */
typedef struct {
  float *data;
  int64_t shape[4], strides[4];
  DLTensor tensor;
} Array;

static void makeArray(Array *array, int64_t b, int64_t positions, int64_t heads, int swapped, unsigned seed) {
  int64_t i, padded = D + 4 * swapped, count = b * positions * heads * padded;
  array->data = malloc(sizeof(float) * (size_t)(count + 1));
  for (i = 0; i < count; ++i)
    array->data[i] = (float)((int)((unsigned)i * 2654435761u / 65536u + seed) % 17 - 8) / 8;
  array->shape[0] = b, array->shape[1] = positions, array->shape[2] = heads, array->shape[3] = D;
  array->strides[0] = positions * heads * padded, array->strides[3] = 1;
  array->strides[1] = swapped ? padded : heads * padded;
  array->strides[2] = swapped ? positions * padded : padded;
  memset(&array->tensor, 0, sizeof array->tensor);
  array->tensor.data = array->data;
  array->tensor.device.device_type = kDLCPU;
  array->tensor.ndim = 4;
  array->tensor.dtype.code = kDLFloat;
  array->tensor.dtype.bits = 32;
  array->tensor.dtype.lanes = 1;
  array->tensor.shape = array->shape;
  array->tensor.strides = array->strides;
}

static float *at(const Array *array, int64_t b, int64_t p, int64_t h) {
  return array->data + b * array->strides[0] + p * array->strides[1] + h * array->strides[2];
}

/* The largest difference between o and softmax over the window, row by row. */
static double worstError(const Array *q, const Array *k, const Array *v, const Array *o, int64_t offset, int64_t keys,
                         int64_t width, double scale) {
  double worst = 0;
  int64_t b, t, h, s, i;
  for (b = 0; b < q->shape[0]; ++b)
    for (t = 0; t < q->shape[1]; ++t)
      for (h = 0; h < q->shape[2]; ++h) {
        double sum = 0, row[D] = {0};
        for (s = 0; s < keys; ++s) {
          double z = 0, weight;
          if (t + offset - s < 0 || t + offset - s >= width)
            continue;
          for (i = 0; i < D; ++i)
            z += (double)at(q, b, t, h)[i] * at(k, b, s, h / GROUP)[i];
          weight = exp(z * scale);
          sum += weight;
          for (i = 0; i < D; ++i)
            row[i] += weight * at(v, b, s, h / GROUP)[i];
        }
        for (i = 0; i < D; ++i)
          worst = fmax(worst, fabs((sum > 0 ? row[i] / sum : 0) - at(o, b, t, h)[i]));
      }
  return worst;
}

static void runCall(sattn_context *context, int call) {
  int64_t batches = 1 + call % 3, keys = 1 + call * 13 % 150, rows = 1 + call * 7 % keys, heads = 1 + call % 4;
  int64_t offset = call % 2 ? keys - rows : call * 3, length = keys - call % 5 * (keys > 8), width = 1 + call * 5 % 40;
  int64_t offsets[3], lengths[3], i;
  double scale = 0.125 * (1 + call % 6);
  Array q, k, v, o;
  sattn_spec spec = {0};
  sattn_call made = {0};
  sattn_kernel *kernel = NULL;
  sattn_tensor inputs[3], outputs[1];
  sattn_param params[2];
  makeArray(&q, batches, rows, heads * GROUP, call % 2, 1);
  makeArray(&k, batches, keys, heads, call % 2, 5);
  makeArray(&v, batches, keys, heads, call / 2 % 2, 11);
  makeArray(&o, batches, rows, heads * GROUP, call / 4 % 2, 0);
  for (i = 0; i < batches; ++i)
    offsets[i] = offset, lengths[i] = length;
  inputs[0].name = "q", inputs[0].tensor = &q.tensor;
  inputs[1].name = "k", inputs[1].tensor = &k.tensor;
  inputs[2].name = "v", inputs[2].tensor = &v.tensor;
  outputs[0].name = "o", outputs[0].tensor = &o.tensor;
  memset(params, 0, sizeof params);
  params[0].name = "W", params[0].type = SATTN_PARAM_INT, params[0].int_value = width;
  params[1].name = "scale", params[1].type = SATTN_PARAM_FLOAT, params[1].float_value = scale;
  made.struct_size = sizeof made;
  made.inputs = inputs, made.input_count = 3;
  made.outputs = outputs, made.output_count = 1;
  made.params = params, made.param_count = 2;
  made.q_offset.values = offsets, made.q_offset.count = batches;
  made.kv_len.values = lengths, made.kv_len.count = batches;
  spec.struct_size = sizeof spec;
  spec.pattern = pattern;
  spec.bind = call % 2 ? "dtype=f32,D=16,group=2" : "group=2, D=16, dtype=f32";
  expect(sattn_get(context, &spec, &kernel) == SATTN_OK, "there is a kernel", call);
  expect(kernel && sattn_run(kernel, &made) == SATTN_OK, "it runs", call);
  expect(worstError(&q, &k, &v, &o, offset, length, width, scale) < 1e-5, "the result agrees with the loop", call);
  sattn_kernel_release(kernel);
  free(q.data), free(k.data), free(v.data), free(o.data);
}

int main(void) {
  sattn_options options = {0};
  sattn_context *context = NULL;
  sattn_stats_data stats = {0};
  int call;
  options.struct_size = sizeof options;
  options.memory_only = 1;
  expect(sattn_context_create(&options, &context) == SATTN_OK, "a context is made", 0);
  expect(sattn_compiler_install(context) == SATTN_OK, "the compiler is handed over", 0);
  for (call = 0; call < CALLS; ++call)
    runCall(context, call);
  stats.struct_size = sizeof stats;
  expect(sattn_stats(context, &stats) == SATTN_OK, "there are counters", CALLS);
  expect(stats.compiles == 1 && stats.compile_errors == 0, "one compile served all calls", CALLS);
  expect(stats.memory_hits == CALLS - 1 && stats.runs == CALLS, "every other call was a hit", CALLS);
  sattn_context_destroy(context);
  printf("%d failed; %d calls, %d compiles\n", failures, (int)stats.runs, (int)stats.compiles);
  return failures != 0;
}
