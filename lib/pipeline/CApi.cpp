// sattn/compiler.h over Compiler.h: pointers checked, results in malloc'ed memory.
#include "lib/pipeline/Compiler.h"
#include "sattn/compiler.h"
#include <cstdlib>
#include <cstring>

using namespace sattn;

// A malloc'ed copy that ends with a 0; null for an empty text.
static char *copyOf(llvm::StringRef text) {
  if (text.empty())
    return nullptr;
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (copy) {
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = 0;
  }
  return copy;
}

static sattn_status refuse(char **text, llvm::StringRef message, sattn_status status = SATTN_BAD_ARGUMENT) {
  if (text)
    *text = copyOf(message);
  return status;
}

// An option's word as a stage that may stand there.
static bool readStage(const char *word, std::optional<Stage> &stage, std::optional<Stage> last = std::nullopt) {
  if (!word)
    return true;
  stage = parseStage(word);
  return stage && (!last || (*stage >= Stage::Fused && *stage <= *last));
}

static sattn_status readOptions(const sattn_compile_options &options, CompileRequest &request, char **text) {
  if (options.struct_size != sizeof options)
    return refuse(
        text,
        "[SA0301] 'struct_size' of sattn_compile_options is not its size: set it to sizeof(sattn_compile_options)");
  if (options.file_name)
    request.fileName = options.file_name;
  if (options.dump_dir)
    request.dumpDir = options.dump_dir;
  if (!readStage(options.stop_after, request.stopAfter))
    return refuse(text,
                  "[SA0253] unknown stage in 'stop_after': stages are 0-pattern, 1-fused, 2-tile, 3-cpu.ll, 4-cpu.s, "
                  "5-artefact");
  if (!readStage(options.override_stage, request.overrideStage, Stage::Assembly))
    return refuse(text,
                  "[SA0254] stage in 'override_stage' cannot be overridden: 1-fused, 2-tile, 3-cpu.ll and 4-cpu.s can");
  if (request.overrideStage && !options.override_text)
    return refuse(text, "[SA0255] 'override_stage' is given without 'override_text': give both or none");
  if (request.overrideStage)
    request.overrideText = options.override_text;
  return SATTN_OK;
}

extern "C" {

const char *sattn_compiler_build(void) { return buildId().c_str(); }

sattn_status sattn_compiler_compile(const sattn_spec *spec, const sattn_compile_options *options, void **bytes,
                                    size_t *size, char **text) {
  if (text)
    *text = nullptr;
  if (!spec || !spec->pattern || !bytes || !size)
    return refuse(text, "[SA0300] a null pointer was given to sattn_compiler_compile: every argument is needed");
  if (spec->struct_size != sizeof *spec)
    return refuse(text, "[SA0301] 'struct_size' of sattn_spec is not its size: set it to sizeof(sattn_spec)");
  CompileRequest request;
  request.text.assign(spec->pattern, spec->pattern_size ? spec->pattern_size : std::strlen(spec->pattern));
  request.bind = spec->bind ? spec->bind : "";
  request.target = spec->target ? spec->target : "";
  if (options)
    if (sattn_status status = readOptions(*options, request, text); status != SATTN_OK)
      return status;
  CompileResult result = compile(request);
  if (!result.ok)
    return refuse(text, result.diagnostics, SATTN_COMPILE_FAILED);
  void *copy = std::malloc(result.output.size() + 1);
  if (!copy)
    return refuse(text, "[SA0500] out of memory", SATTN_OUT_OF_MEMORY);
  std::memcpy(copy, result.output.data(), result.output.size());
  static_cast<char *>(copy)[result.output.size()] = 0;
  *bytes = copy;
  *size = result.output.size();
  if (text)
    *text = copyOf(result.diagnostics);
  return SATTN_OK;
}

sattn_status sattn_compiler_describe(const char *pattern, size_t size, const char *file_name, const char *bind,
                                     char **json, char **text) {
  if (text)
    *text = nullptr;
  if (!pattern || !json)
    return refuse(text, "[SA0300] a null pointer was given to sattn_compiler_describe: every argument is needed");
  llvm::StringRef source(pattern, size ? size : std::strlen(pattern));
  DescribeResult result = describe(source, file_name ? file_name : "pattern", bind ? bind : "");
  if (!result.ok)
    return refuse(text, result.diagnostics, SATTN_COMPILE_FAILED);
  *json = copyOf(result.json);
  return *json ? SATTN_OK : SATTN_OUT_OF_MEMORY;
}

static sattn_status compileHook(void *, const sattn_spec *spec, void **bytes, size_t *size, char **error) {
  return sattn_compiler_compile(spec, nullptr, bytes, size, error);
}

sattn_status sattn_compiler_install(sattn_context *context) {
  return sattn_set_compile_hook(context, compileHook, nullptr, sattn_compiler_build());
}

} // extern "C"
