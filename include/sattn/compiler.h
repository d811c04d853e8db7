/*
 * compiler.h: the C interface of the sattn compiler (C99), in libsattn-compiler. A program that has both libraries
 * hands the compiler to the runtime once and then only uses sattn.h:
 *
 *   sattn_context_create(NULL, &ctx);
 *   sattn_compiler_install(ctx);
 *   sattn_get(ctx, &spec, &kernel);
 *
 * The conventions of sattn.h hold: status and text, struct_size, no exceptions, all functions from any thread at the
 * same time. Nothing is read from the environment, no program is run, no file is written except dumps that are asked
 * for. Texts and bytes that are handed out are freed with sattn_free().
 */
#ifndef SATTN_COMPILER_H
#define SATTN_COMPILER_H

#include <sattn/sattn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What identifies this compiler, "sattn 0.1.0 llvm 22.1.8 <hash of its sources>"; part of every key. */
SATTN_API const char *sattn_compiler_build(void);

/* Makes this compiler the compile hook of `context` (sattn_set_compile_hook). */
SATTN_API sattn_status sattn_compiler_install(sattn_context *context);

/* The stages, in order: "0-pattern" (parsed, verified and proven), "1-fused" (specialised and normalised), "2-tile"
 * (the tile program), "3-cpu.ll" (LLVM IR), "4-cpu.s" (assembly), "5-artefact". */
typedef struct sattn_compile_options {
  size_t struct_size;
  const char *file_name;      /* what messages call the text; default "pattern" */
  const char *stop_after;     /* give the text of this stage in place of an artefact */
  const char *dump_dir;       /* write the text of every stage into this directory, which exists: 0-pattern.mlir, ... */
  const char *override_stage; /* "1-fused" to "4-cpu.s": go on from override_text in place of what the stage made */
  const char *override_text;
} sattn_compile_options;

/* Compiles spec->pattern for spec->bind and spec->target to artefact bytes (docs/artefact.md), or to the text of a
 * stage. `target` NULL or "cpu" means the level of this machine; code for higher levels is made, too. `options` may be
 * NULL. On SATTN_OK *bytes holds *size bytes, and *text (may be NULL) the warnings, or NULL. Otherwise *text holds the
 * errors as lines for people, "window.mlir:4:10: error: ...", with the source line and a caret. Takes 0.1 to 0.5 s. */
SATTN_API sattn_status sattn_compiler_compile(const sattn_spec *spec, const sattn_compile_options *options,
                                              void **bytes, size_t *size, char **text);

/* Parses, verifies and proves a pattern and describes it as JSON: name, lines, roles with their axes, params with type,
 * default and whether they are static, results, and the verdict on causality. `bind` (may be NULL) gives static params
 * whose block lengths the axes should show. On failure *text holds the errors. A few milliseconds. */
SATTN_API sattn_status sattn_compiler_describe(const char *pattern, size_t size, const char *file_name,
                                               const char *bind, char **json, char **text);

#ifdef __cplusplus
}
#endif
#endif /* SATTN_COMPILER_H */
