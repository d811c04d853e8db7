/*
 * sattn.h: the C interface of the sattn runtime (C99). It finds, loads and runs kernels that were compiled from
 * sparse attention patterns. It contains no compiler: a program that links `libsattn-compiler` hands one over with
 * sattn_set_compile_hook(); without it, kernels come from the disk cache and from bundles.
 *
 *   sattn_context *ctx;   sattn_context_create(NULL, &ctx);
 *   sattn_kernel *kernel; sattn_get(ctx, &spec, &kernel);      text + bind + target -> kernel, cached
 *   sattn_run(kernel, &call);                                  named DLPack tensors in, named DLPack tensors out
 *
 * Conventions that hold for everything below:
 * - Every function that can fail returns a sattn_status; sattn_last_error() then holds the text of the calling
 *   thread. Errors in a call have codes SA03xx, artefacts and caches SA04xx, the environment SA05xx.
 * - Structs that a caller fills begin with `struct_size`, set to sizeof of the struct. Zero all the rest: a zero
 *   field always means the default. Fields are only ever appended. A library that is older than the caller's header
 *   refuses fields it does not know unless they are zero.
 * - All functions may be called from any thread at the same time, except that an object must not be used while
 *   or after it is destroyed. Strings are UTF-8 and 0-terminated unless a size stands beside them. Strings and
 *   arrays that an object returns live as long as the object.
 * - No function throws, aborts, or reads environment variables other than SATTN_CACHE_DIR, SATTN_JIT, SATTN_VERBOSE
 *   and SATTN_LIBCUDA (the library of NVIDIA's driver in place of libcuda.so.1), and XDG_CACHE_HOME and HOME for the
 *   default cache directory; all are read when a context is created.
 */
#ifndef SATTN_SATTN_H
#define SATTN_SATTN_H

#include <dlpack/dlpack.h>
#include <stddef.h>
#include <stdint.h>

#define SATTN_VERSION_MAJOR 0
#define SATTN_VERSION_MINOR 1
#define SATTN_VERSION_PATCH 0

#if defined(__GNUC__)
#define SATTN_API __attribute__((visibility("default")))
#else
#define SATTN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status -------------------------------------------------------------------------------------------------- */

typedef enum sattn_status {
  SATTN_OK = 0,
  SATTN_BAD_ARGUMENT = 1,   /* a null pointer, a struct_size, a malformed bind or target: an error of the program */
  SATTN_BAD_CALL = 2,       /* an operand, shape, dtype, stride, offset or param does not fit the kernel */
  SATTN_UNSUPPORTED = 3,    /* understood, and not offered by this version or machine; the text names it */
  SATTN_NO_COMPILER = 4,    /* not cached, and there is no compile hook or JIT is off; the text names the key */
  SATTN_COMPILE_FAILED = 5, /* the compile hook refused; the text is the compiler's */
  SATTN_BAD_ARTEFACT = 6,   /* damaged or malformed artefact bytes */
  SATTN_ENVIRONMENT = 7,    /* the operating system refused something that was needed */
  SATTN_OUT_OF_MEMORY = 8,
  SATTN_INTERNAL = 9,             /* an error of this library; please report the text */
  SATTN_STATUS_WIDTH = 0x7fffffff /* no status: gives the type its width, so that later values fit */
} sattn_status;

/* "SATTN_OK", ...; "SATTN_UNKNOWN" for other values. */
SATTN_API const char *sattn_status_name(sattn_status status);

/* The text of the last failed call of this thread, "[SA0304] k has D=32, but q has D=64"; "" before the first.
 * Valid until the next failing call of this thread. */
SATTN_API const char *sattn_last_error(void);

/* Version of the library that is running: "0.1.0", and major * 10000 + minor * 100 + patch. */
SATTN_API const char *sattn_version(void);
SATTN_API uint32_t sattn_version_number(void);

/* ---- Targets ------------------------------------------------------------------------------------------------- */

/* CPU targets are a closed list, each level including the ones before it: "cpu-baseline" (x86-64), "cpu-avx2"
 * (AVX2, FMA, F16C, BMI), "cpu-avx512" (F, BW, CD, DQ, VL), "cpu-avx512-bf16", "cpu-amx" (AMX-TILE, AMX-BF16).
 * Returns the highest level that this machine and its operating system offer. "cpu" as a target means this level.
 *
 * GPUs: "cuda" is NVIDIA's device 0, "cuda:N" its device N, whose compute capability decides what is compiled
 * ("sm_90a" for 9.0); "sm_80" to "sm_120a" ask for that code, to run on any device that takes it. The driver is opened
 * with the first kernel of such a target; nothing else of CUDA need be installed. Tensors of a call stand in memory of
 * one device (kDLCUDA, or kDLCUDAManaged), which may be another one than that of the target. */
SATTN_API const char *sattn_isa_detect(void);

/* ---- Context ------------------------------------------------------------------------------------------------- */

typedef struct sattn_context sattn_context;
typedef struct sattn_kernel sattn_kernel;

/* The caller's executor: run task(arg, i) once for each i in [0, count), on any threads, in any order, and return
 * when all have returned. Tasks of one call may run one after the other on the calling thread. */
typedef void (*sattn_parallel_for)(void *user, int64_t count, void (*task)(void *arg, int64_t index), void *arg);

typedef enum sattn_log_level {
  SATTN_LOG_INFO = 0,
  SATTN_LOG_WARNING = 1,
  SATTN_LOG_WIDTH = 0x7fffffff
} sattn_log_level;

/* Gets one line without a newline. May be called from any thread; must not call back into the library. */
typedef void (*sattn_log)(void *user, sattn_log_level level, const char *line);

typedef struct sattn_options {
  size_t struct_size;
  const char *cache_dir; /* default: SATTN_CACHE_DIR, else $XDG_CACHE_HOME/sattn, else $HOME/.cache/sattn */
  uint64_t cache_bytes;  /* upper bound of the directory, least recently used entries go first; default 1 GiB */
  int32_t memory_only;   /* 1: neither read nor write a cache directory */
  int32_t jit_off;       /* 1: never call the compile hook; SATTN_JIT=off does the same */
  int32_t threads;       /* threads of a run, the caller's included; default: CPUs this process may use */
  int32_t reserved;      /* 0 */
  const char *target;    /* what "cpu" and an absent target of a spec mean; default: sattn_isa_detect() */
  sattn_parallel_for parallel_for; /* runs tasks in place of the library's own pool */
  void *parallel_for_user;
  sattn_log log; /* default: warnings go to stderr */
  void *log_user;
} sattn_options;

/* A context owns a cache and a thread pool. `options` may be NULL. A cache directory that cannot be used safely
 * (a symbolic link, owned by somebody else, writable for group or others) is not an error: the context is memory-only
 * and logs one warning. A directory that takes no new files (read-only, full) is read all the same, and the first
 * failed write logs one warning. Cost: a few system calls; threads start with the first run. After fork() contexts
 * and kernels are usable in the child. */
SATTN_API sattn_status sattn_context_create(const sattn_options *options, sattn_context **out);

/* Kernels that are still retained stay usable. NULL is allowed. */
SATTN_API void sattn_context_destroy(sattn_context *context);

/* ---- Devices ------------------------------------------------------------------------------------------------- */

/* Memory that a launch may touch: roles, results, the workspace, numbers for each batch entry. */
typedef struct sattn_device_memory {
  const char *name; /* "q", "workspace", "q_offset" */
  void *base;
  size_t size;      /* bytes */
  int32_t writable; /* 1: results and workspaces, which nobody has written before the call; 2: kept summaries */
  int32_t reserved;
} sattn_device_memory;

/* A tensor of which a kernel copies boxes to shared memory by TMA: what cuTensorMapEncodeTiled takes. Outside of it
 * boxes are filled with zeros; they are not interleaved, and element strides are 1. */
typedef struct sattn_tensor_map {
  void *base;         /* a multiple of 16; NULL if the tensor has no element: no box of it is copied then */
  int64_t counts[4];  /* features, positions, heads, batch; each 1 at least, and below 2^32 */
  int64_t strides[3]; /* bytes from a position, head, batch entry to the next: multiples of 16 below 2^40 */
  int32_t box[4];     /* extents of a box, in this order */
  int32_t element_bytes;
  int32_t swizzle_bytes; /* 128 */
  int32_t reserved[2];
} sattn_tensor_map;

/* One kernel over a one-dimensional grid. */
typedef struct sattn_device_launch {
  size_t struct_size;
  const char *symbol;   /* entry of the module */
  int64_t blocks;       /* > 0 */
  int64_t threads;      /* of a block */
  int64_t shared_bytes; /* dynamic shared memory of a block */
  const int64_t *slots; /* one parameter of the entry each; a float32 stands in the low half */
  size_t slot_count;
  const size_t *pointers; /* which slots are addresses */
  size_t pointer_count;
  const sattn_device_memory *memory;
  size_t memory_count;
  void *stream;       /* of the call */
  int32_t first_step; /* 1: the first launch of its call */
  int32_t reserved;
  const sattn_tensor_map *maps; /* further parameters behind the slots: 128 bytes each, aligned to 64 */
  size_t map_count;
} sattn_device_launch;

/* Runs code of targets that are not CPUs ("sm_80", "sm_90a") in place of the driver of CUDA, on memory of the host: the
 * code is PTX text. Functions that fail store a
 * malloc'ed text in *error, which the library frees. They may be called from any thread. */
typedef struct sattn_device {
  size_t struct_size;
  void *user;
  sattn_status (*load)(void *user, const char *target, const void *code, size_t size, void **module, char **error);
  /* Launches of one call come in order, each after what the one before wrote. */
  sattn_status (*launch)(void *user, void *module, const sattn_device_launch *launch, char **error);
  void (*unload)(void *user, void *module);
} sattn_device;

/* Hands over a device, which must outlive every kernel of the context. Call it before the first sattn_get() of such a
 * target. "cuda" and "cuda:N" are refused then. */
SATTN_API sattn_status sattn_set_device(sattn_context *context, const sattn_device *device);

/* ---- Getting kernels ----------------------------------------------------------------------------------------- */

/* What names a kernel. Everything that is not in `bind` is dynamic: batch, lengths, head counts, offsets, strides,
 * dynamic params, results wanted. */
typedef struct sattn_spec {
  size_t struct_size;
  const char *pattern; /* the pattern's text; it is a key byte for byte */
  size_t pattern_size; /* bytes; 0: up to the terminating 0 */
  const char *bind;    /* "D=64,Dv=64,dtype=f32,group=4": comma-separated name=value in any order; NULL: "" */
  const char *target;  /* NULL or "cpu": the context's target; "cuda", "cuda:1", "sm_80": a GPU */
} sattn_spec;

/* Compiles `spec`: its bind is sorted, its target a level of the list above, its pattern_size set. On success stores
 * malloc'ed artefact bytes (docs/artefact.md) and returns SATTN_OK; else stores a malloc'ed text in *error (or leaves
 * it NULL) and returns another status. The library frees both with free(). Called without a lock held, at most once
 * at a time for one key, possibly for several keys at once. Must not call sattn_get() for the same spec. */
typedef sattn_status (*sattn_compile)(void *user, const sattn_spec *spec, void **bytes, size_t *size, char **error);

/* Hands over a compiler. `build` identifies it ("sattn 0.1.0 llvm 22.1.8 <hash>") and is part of every key, so that
 * kernels of another build are never taken from the disk cache. Without a hook, kernels of any build are taken.
 * `compile` NULL removes the hook. Call it before the first sattn_get() of a context. */
SATTN_API sattn_status sattn_set_compile_hook(sattn_context *context, sattn_compile compile, void *user,
                                              const char *build);

/* Finds the kernel: memory, then bundles, then the disk cache, then the compile hook. The result is retained for the
 * caller: release it. A second call with the same bytes takes no lock and allocates nothing (well under 2 us);
 * concurrent first calls for one key compile once.
 * SATTN_NO_COMPILER names the missing key and what differs from the nearest kernel that is cached. */
SATTN_API sattn_status sattn_get(sattn_context *context, const sattn_spec *spec, sattn_kernel **out);

/* Makes the kernels of a bundle (an artefact with code for one or several targets) available to sattn_get(). The bytes
 * are copied. A bundle is native code: loading one is trusting it; hashes guard integrity only. Where no kernel for
 * the asked level is found and nothing can be compiled, "cpu" falls back to the best lower level of the bundles. */
SATTN_API sattn_status sattn_load_bundle(sattn_context *context, const void *bytes, size_t size);

SATTN_API sattn_kernel *sattn_kernel_retain(sattn_kernel *kernel);
SATTN_API void sattn_kernel_release(sattn_kernel *kernel); /* NULL is allowed */

/* ---- Looking at kernels -------------------------------------------------------------------------------------- */

SATTN_API const char *sattn_kernel_name(const sattn_kernel *kernel);     /* the pattern's name: "window" */
SATTN_API const char *sattn_kernel_target(const sattn_kernel *kernel);   /* "cpu-avx512" */
SATTN_API const char *sattn_kernel_bind(const sattn_kernel *kernel);     /* sorted */
SATTN_API const char *sattn_kernel_build(const sattn_kernel *kernel);    /* the compiler that made it */
SATTN_API const char *sattn_kernel_key(const sattn_kernel *kernel);      /* 64 hex digits */
SATTN_API const char *sattn_kernel_manifest(const sattn_kernel *kernel); /* JSON, docs/artefact.md */

/* A role (operand) or result. Its tensor has the dimensions `axes`, in this order. */
typedef struct sattn_operand_info {
  size_t struct_size;
  const char *name;  /* "q" */
  const char *dtype; /* "f32", "f16", "bf16", "i32", or of kept codes "i8" or "u8" */
  int32_t ndim;
  int32_t kept; /* 1: a summary or code of the keys that stays with the caller: calls read it and extend it */
  const char *const *axes; /* "B", "t", "h", "D"; B is the batch, absent where the role has no position axis */
  const int64_t *sizes;    /* static size of each axis, -1 where the call decides */
} sattn_operand_info;

typedef enum sattn_param_type {
  SATTN_PARAM_INT = 0,
  SATTN_PARAM_FLOAT = 1,
  SATTN_PARAM_WIDTH = 0x7fffffff
} sattn_param_type;

typedef struct sattn_param_info {
  size_t struct_size;
  const char *name;
  sattn_param_type type;
  int32_t has_default;
  int64_t int_default;
  double float_default;
} sattn_param_info;

SATTN_API size_t sattn_kernel_role_count(const sattn_kernel *kernel);
SATTN_API size_t sattn_kernel_result_count(const sattn_kernel *kernel);
SATTN_API size_t sattn_kernel_param_count(const sattn_kernel *kernel); /* dynamic params */
/* Fill `info`, whose struct_size is set; SATTN_BAD_ARGUMENT beyond the count. */
SATTN_API sattn_status sattn_kernel_role(const sattn_kernel *kernel, size_t index, sattn_operand_info *info);
SATTN_API sattn_status sattn_kernel_result(const sattn_kernel *kernel, size_t index, sattn_operand_info *info);
SATTN_API sattn_status sattn_kernel_param(const sattn_kernel *kernel, size_t index, sattn_param_info *info);

/* ---- Running ------------------------------------------------------------------------------------------------- */

typedef struct sattn_tensor {
  const char *name; /* of a role or result */
  const DLTensor
      *tensor; /* CPU memory, or that of a GPU for kernels of one; the axes of one position may have any strides
                  (elements, of any sign); feature axes are contiguous and last; data is aligned to its element size */
} sattn_tensor;

typedef struct sattn_param {
  const char *name;
  sattn_param_type type;
  int32_t reserved; /* 0 */
  int64_t int_value;
  double float_value;
} sattn_param;

/* One number for each batch entry: count 0 = not given, 1 = the same for all entries, B = one each. */
typedef struct sattn_per_batch {
  const int64_t *values;
  int64_t count;
} sattn_per_batch;

/* One call of a kernel. Tensors and arrays are only read during the call, results only written.
 * - Each role must be given. Results that are not given are computed into scratch memory. Results must not overlap
 *   operands or each other.
 * - Positions are absolute: query row i stands at q_offset + i, key j at kv_offset + j; keys j >= kv_len do not
 *   exist. Defaults: offsets 0, kv_len = S. Nothing is derived from lengths: a kernel that has both t and s roles
 *   refuses t != s, both not 0, unless q_offset or kv_len is given.
 * - A row without a key gives o = 0 and lse = -inf.
 * - Pages. With 'paged=P' in its bind a kernel takes its roles of floats over s that have features (k, v) as pools of
 *   pages: [pages, P, g, D] for a role [s, g, D], with any strides of pages, positions and heads. Key j of batch entry
 *   b is position j mod P of page page_table[b][j / P], in all paged roles alike. S is the largest kv_len (on a device:
 *   kv_len_max), or without lengths entries * P, or what another role over s says; in the first two cases roles over
 *   blocks c may have room for more blocks than S has, and all that have a key exist. Entries behind the last key are
 *   never read and may hold anything. Of the others a call for CPUs, or for a device of sattn_set_device(), refuses
 *   those that name no page of the pool; a table in the memory of a CUDA device is not looked at, and keys of such a
 *   page count as zeros. No memory outside the pools is read either way.
 * - Kept summaries (bind `keep=summaries`) are inputs that the call extends: roles with `kept` set, one row for each
 *   block of keys, or for each key where keys are encoded, and room for all of them. Keys before the first query row
 * (q_offset - kv_offset of them) have the rows of their blocks from earlier calls of the sequence; the call makes those
 * of later keys. A call whose rows begin with the keys makes all, so nothing need be initialised; going back to an
 * earlier position is allowed. Their strides are free; a token reads them head by head, so that it takes up to twice
 *   as long where the rows of a head do not lie together.
 * - Packed sequences of different lengths, for any kernel. With `cu_q` (B + 1 numbers from 0 on that never fall)
 *   operands and results over t have no batch dimension: [total, h, D] for [t, h, D], and rows cu_q[b] up to but not
 *   cu_q[b + 1] are those of sequence b. `cu_kv` does the same to operands over s; without it these have an entry for
 *   each sequence as ever, in pages too, and `kv_len` says how much of it exists. Blocks (u of query rows, c of keys)
 *   are packed with their rows: those of each sequence, counted from its own start, follow those of the one before;
 *   where the last one of a sequence may be incomplete, the number of all tells whether these are there; that of the
 *   longest does where blocks have an entry for each sequence beside pages. So do chosen positions, s(n): each sequence
 *   has as many as it has alone, and 0 behind them where it has an entry with room for more. Kept summaries stay as
 * they are, with an entry for each sequence. Sequences may be empty. `q_offset`, `kv_offset` and `kv_len` have a number
 * for each sequence, and what is said of t and s holds for each: results have the very bits that a call of the sequence
 *   alone gives. On CPUs tasks of all sequences run side by side; on a device sequences run one after the other. */
typedef struct sattn_call {
  size_t struct_size;
  const sattn_tensor *inputs;
  size_t input_count;
  const sattn_tensor *outputs;
  size_t output_count;
  const sattn_param *params; /* those that are not given take their default */
  size_t param_count;
  sattn_per_batch q_offset;   /* >= 0 */
  sattn_per_batch kv_offset;  /* >= 0 */
  sattn_per_batch kv_len;     /* 0 <= kv_len <= S */
  sattn_per_batch cu_q;       /* packed sequences: where the query rows of each begin, B + 1 numbers in host memory */
  sattn_per_batch cu_kv;      /* likewise of keys; see above */
  const DLTensor *page_table; /* of paged roles, int32 [B, entries]; see below */
  int64_t page_size;          /* positions of a page: what the kernel's bind says with 'paged', else 0 */
  void *workspace;            /* 64-byte aligned memory for the call, on its device; NULL: the library's own, kept */
  size_t workspace_size;      /* at least sattn_workspace_size() */
  void *stream;               /* CUstream of the call, or NULL for the default stream; NULL on CPUs */
  int32_t threads;            /* overrides the context's number for this call */
  int32_t reserved;           /* 0 */
  /* On CUDA: 1 if `values` of q_offset, kv_offset and kv_len, where given, are memory of the device with one number for
   * each batch entry. They are read when the kernels run, so that a captured graph sees new ones. Nobody checks them:
   * values outside the bounds below are undefined behaviour. */
  int32_t per_batch_on_device;
  int32_t reserved2; /* 0 */
  /* What is true of all values on the device, now and later. A kernel that needs to know more refuses the call. */
  int64_t q_offset_max;      /* default: 2^40 - t */
  int64_t kv_len_max;        /* default: S */
  int64_t q_offset_divisor;  /* all are multiples of it; default: 1 */
  int64_t kv_offset_divisor; /* likewise */
} sattn_call;

/* Bytes that sattn_run() needs for this call as workspace. Data pointers of the tensors are not looked at. */
SATTN_API sattn_status sattn_workspace_size(sattn_kernel *kernel, const sattn_call *call, size_t *bytes);

/* Checks everything, then runs the kernel on the calling thread and its helpers and returns when it is done.
 * The results are bit-equal for any number of threads. The floating-point mode of every thread is restored. On an
 * error found by the checks, nothing has been written.
 *
 * On CUDA the kernel's launches are put on the stream and the call returns: nothing waits for the device. They run in
 * the stream's context; for the default streams in the current one, or the device's primary context where another
 * device or none is current. The first call in a context loads the kernel there; kernels are released after their
 * launches are done, and before a context of the caller in which they ran is destroyed. Calls can be captured into a
 * graph: what they need is in the graph, workspaces of the library included (devices without memory pools need the
 * caller's). */
SATTN_API sattn_status sattn_run(sattn_kernel *kernel, const sattn_call *call);

/* ---- Explaining and counting --------------------------------------------------------------------------------- */

/* Text for people: the plan, what each kernel computes, the dataflow the compiler chose and what it refused; with a
 * call (may be NULL) also its sizes, launches and key tiles. Runs nothing; data pointers of the tensors are not looked
 * at. Free *text with sattn_free(). */
SATTN_API sattn_status sattn_explain(sattn_kernel *kernel, const sattn_call *call, char **text);

/* The same for tools, one JSON object: name, bind, target, build, key, kernels [{kernel, scratch}], choices, fusion (as
 * the compiler wrote them: docs/artefact.md, section 5); with a call also call {sizes, workspace_bytes, workspaces,
 * launches [{step, kernel, grid, count, tasks, scratch}], tiles [{kernel, line, keys, tile, visited, full, partial} or
 * {..., depends_on, at_most} or {..., unknown}]}. Fields may be added. Free *json with sattn_free(). */
SATTN_API sattn_status sattn_explain_json(sattn_kernel *kernel, const sattn_call *call, char **json);

/* Text for people: the key of `spec` field by field, where its kernel would come from, and if from nowhere, what
 * differs from the nearest cached one. Compiles and loads nothing. Free *text with sattn_free(). */
SATTN_API sattn_status sattn_explain_spec(sattn_context *context, const sattn_spec *spec, char **text);

SATTN_API void sattn_free(void *memory); /* NULL is allowed */

typedef struct sattn_stats_data {
  size_t struct_size;
  uint64_t memory_hits; /* sattn_get() answered from memory */
  uint64_t bundle_hits; /* loaded from a bundle */
  uint64_t disk_hits;   /* loaded from the cache directory */
  uint64_t compiles;    /* compile hook calls that gave a kernel */
  uint64_t compile_errors;
  uint64_t misses;     /* SATTN_NO_COMPILER */
  uint64_t damaged;    /* cache files that were found damaged and removed */
  uint64_t evictions;  /* cache entries removed for space */
  uint64_t compile_ns; /* time inside the compile hook */
  uint64_t load_ns;    /* time to read, verify and load code */
  uint64_t runs;
  uint64_t tasks;
} sattn_stats_data;

/* Counters since the context was created. */
SATTN_API sattn_status sattn_stats(const sattn_context *context, sattn_stats_data *out);

/* ---- The cache directory ------------------------------------------------------------------------------------- */

/* The directory in use, or NULL when the context is memory-only. */
SATTN_API const char *sattn_cache_dir(const sattn_context *context);

typedef struct sattn_cache_entry {
  size_t struct_size;
  const char *file;    /* name inside the directory */
  const char *error;   /* NULL, or what is wrong with the entry; then the five strings below are "" */
  const char *key;     /* 64 hex digits */
  const char *pattern; /* name of the pattern */
  const char *bind;
  const char *target;
  const char *build;
  uint64_t bytes;   /* on disk, code file included */
  int64_t last_use; /* seconds since 1970 */
} sattn_cache_entry;

/* Gets one entry; its strings are valid during the call. */
typedef void (*sattn_cache_visitor)(void *user, const sattn_cache_entry *entry);

/* Visits the entries, last used first. Reads headers and manifests only; entries whose manifest is damaged have
 * `error` set. Nothing is visited when the context is memory-only. */
SATTN_API sattn_status sattn_cache_list(sattn_context *context, sattn_cache_visitor visit, void *user);

/* As sattn_cache_list(), reading every byte and checking every hash. *damaged (may be NULL) gets the number of damaged
 * entries. Removes nothing: sattn_get() and sattn_cache_gc() do. */
SATTN_API sattn_status sattn_cache_verify(sattn_context *context, sattn_cache_visitor visit, void *user,
                                          size_t *damaged);

/* Removes damaged entries and files that killed writers left behind, then least recently used entries until the
 * directory holds at most `max_bytes` (0: the context's bound). *removed (may be NULL) gets the number of entries. */
SATTN_API sattn_status sattn_cache_gc(sattn_context *context, uint64_t max_bytes, size_t *removed);

/* Removes every entry; kernels that are loaded stay usable. Files that are not ours are left alone. */
SATTN_API sattn_status sattn_cache_clear(sattn_context *context, size_t *removed);

#ifdef __cplusplus
}
#endif
#endif /* SATTN_SATTN_H */
