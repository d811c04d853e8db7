/* Kernels that the runtime's tests run: plain C with the kernel ABI of docs/artefact.md, compiled by CMake to a shared
 * object without libraries, which the tests wrap with the artefact writer. */
#include <stdint.h>

#define KERNEL __attribute__((visibility("default"))) void

/* A view argument of a frame. */
typedef struct view {
  char *data;
  int64_t count[3], stride[3]; /* batch, position, head */
} view;

static view viewAt(const int64_t *frame) {
  view v;
  v.data = (char *)frame[0];
  for (int i = 0; i < 3; ++i) {
    v.count[i] = frame[1 + i];
    v.stride[i] = frame[4 + i];
  }
  return v;
}

static float *element(view v, int64_t b, int64_t p, int64_t h) {
  return (float *)v.data + b * v.stride[0] + p * v.stride[1] + h * v.stride[2];
}

static float floatAt(const int64_t *frame) {
  union {
    int32_t bits;
    float value;
  } u;
  u.bits = (int32_t)frame[0];
  return u.value;
}

/* Tests find this number in the file and replace it, to make kernels that differ in code but not in shape. */
__attribute__((visibility("hidden"))) volatile const int64_t testKernelId = 0x0123456789abcdef;

/* (result o [B,t,h] of f32): o = low part of the id. */
KERNEL identify(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view o = viewAt(frame);
  *element(o, z, x, y) = (float)(testKernelId & 0xfffff);
}

/* (role q [B,t,h,4], result o [B,t,h,4], float scale, index W, per_batch q_offset): o = scale * q + W + q_offset[b] */
KERNEL axpy(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view q = viewAt(frame), o = viewAt(frame + 7);
  float scale = floatAt(frame + 14);
  int64_t w = frame[15];
  const int64_t *offset = (const int64_t *)frame[16];
  for (int i = 0; i < 4; ++i)
    element(o, z, x, y)[i] = scale * element(q, z, x, y)[i] + (float)(w + offset[z]);
}

/* (role k [B,s,g,4], workspace w [B,s,g]): w = sum of the features, through scratch. */
KERNEL rowsum(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view k = viewAt(frame), w = viewAt(frame + 7);
  float *sum = (float *)scratch;
  sum[0] = 0;
  for (int i = 0; i < 4; ++i)
    sum[0] += element(k, z, x, y)[i];
  *element(w, z, x, y) = sum[0];
}

/* (role k [pages,P,g,4] in pages, pages, result o [B,t,h], per_batch kv_len): o = sum over j < kv_len[b] of (j + 1)
 * times the first feature of key j of head h mod g. */
KERNEL pagesum(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view k = viewAt(frame), pages = viewAt(frame + 7), o = viewAt(frame + 14);
  const int64_t *length = (const int64_t *)frame[21];
  float sum = 0;
  for (int64_t j = 0; j < length[z]; ++j) {
    int64_t page = ((int32_t *)pages.data)[z * pages.stride[0] + j / k.count[1] * pages.stride[1]];
    sum += (float)(j + 1) * *element(k, page, j % k.count[1], y % k.count[2]);
  }
  *element(o, z, x, y) = sum;
}

/* (workspace w [B,s,g], role q [B,t,h,4], result o [B,t,h,4], result lse [B,t,h], per_batch kv_len, index wave):
 * o = q + sum over j < kv_len[b] of w[b,j,h mod g], for the heads with h mod 2 = wave; lse = -inf when kv_len is 0. */
KERNEL total(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view w = viewAt(frame), q = viewAt(frame + 7), o = viewAt(frame + 14), lse = viewAt(frame + 21);
  const int64_t *length = (const int64_t *)frame[28];
  if (y % 2 != frame[29])
    return;
  float sum = 0;
  for (int64_t j = 0; j < length[z]; ++j)
    sum += *element(w, z, j, y % w.count[2]);
  for (int i = 0; i < 4; ++i)
    element(o, z, x, y)[i] = element(q, z, x, y)[i] + sum;
  *element(lse, z, x, y) = length[z] == 0 ? -__builtin_inff() : sum;
}

/* (role q [B,t,h,4], result o): o = q * 1e-30f * 1e-10f and back; 0 where denormals are flushed. */
KERNEL denormal(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view q = viewAt(frame), o = viewAt(frame + 7);
  for (int i = 0; i < 4; ++i) {
    volatile float small = element(q, z, x, y)[i] * 1e-30f;
    small = small * 1e-10f;
    element(o, z, x, y)[i] = small * 1e30f * 1e10f;
  }
}

/* (result o [B,t,h]): the sequence number in which the task ran, from a counter in the first element of workspace c.
 * Only for one thread. */
KERNEL sequence(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view o = viewAt(frame), c = viewAt(frame + 7);
  float *counter = element(c, 0, 0, 0);
  *element(o, z, x, y) = *counter;
  *counter += 1;
}

/* (workspace c): c = 0 */
KERNEL clear(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) {
  view c = viewAt(frame);
  *element(c, 0, 0, 0) = 0;
}
