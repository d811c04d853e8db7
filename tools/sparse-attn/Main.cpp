// sparse-attn: runs, checks, times and explains sparse attention patterns. Reads the command line and calls a verb
// (Verbs.h). Exit status: 0, 1 for an error of the user or a failed comparison, 2 for a command line that is not
// understood.
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <sattn/compiler.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <new>

using namespace sattn::tool;

namespace {
/// What a verb returned; the verbs run after the command line has been read whole.
using Action = std::function<int()>;

constexpr const char *examples = R"(Examples:
  sparse-attn run window --arg q=q.npy --arg k=k.npy --arg v=v.npy --param W=256 --out o=o.npy
  sparse-attn verify nsa                     compare a kernel with the float64 reference
  sparse-attn bench moba --shape T=16384,Hq=16,Hkv=4,D=128 --dtype bf16
  sparse-attn explain nsa --json             key, plan and the compiler's reasons
  sparse-attn new mine                       write mine.mlir, a pattern to change
Arrays are [B, T, H, D] .npy files: float32, float16, int32, or bfloat16 as uint16 bits (q:bf16=q.npy).
`sparse-attn VERB --help` shows the options of a verb. Exit status: 1 for errors, 2 for usage.)";

void addPattern(CLI::App *verb, CallOptions &options) {
  verb->add_option("PATTERN", options.pattern, "a file, or the name of a shipped pattern")->required();
  verb->add_option("--param", options.params, "a param of the pattern, NAME=NUMBER; repeat for more")
      ->allow_extra_args(false);
}

void addPageSize(CLI::App *verb, CallOptions &options, const std::string &text) {
  verb->add_option("--page-size", options.pageSize, text)->check(CLI::Range(int64_t(1), int64_t(1) << 20));
}

void addCall(CLI::App *verb, CallOptions &options) {
  addPattern(verb, options);
  verb->add_option("--arg", options.args, "an operand, NAME[:TYPE]=FILE.npy; repeat for more")->allow_extra_args(false);
  verb->add_option("--q-offset", options.qOffset,
                   "position of the first query row: N, or FILE.npy with one for each batch entry");
  verb->add_option("--kv-offset", options.kvOffset, "position of the first key, likewise");
  verb->add_option("--kv-len", options.kvLen, "keys that exist, likewise");
  verb->add_option(
      "--cu-q", options.cuQ,
      "operands over t are packed sequences, [rows of all, H, D]: where each begins and all end, FILE.npy");
  verb->add_option("--cu-kv", options.cuKv, "likewise operands over s");
  verb->add_option("--page-table", options.pageTable,
                   "operands over s are pools of pages, of which this is the table [B, entries], FILE.npy");
  addPageSize(verb, options, "keys in a page; without --page-table operands in one piece are laid out in such pages");
  verb->add_option(
      "--target", options.target,
      "cpu (default), cpu-avx2, cpu-baseline, cpu-avx512, cpu-avx512-bf16, cpu-amx, cuda[:N], ptx-sim[:sm_80]");
  verb->add_option(
      "--dataflow", options.dataflow,
      "how all calls walk their keys, in place of what the compiler chooses: range, split, inverted, masked,\n"
      "listed, lists, gathered; a pattern has up to three of them (explain)");
  verb->add_option("--threads", options.threads, "threads; default: the processors this process may use")
      ->check(CLI::Range(1, 1024));
}

void addRows(CLI::App *verb, CallOptions &options) {
  verb->add_option("--rows", options.rows, "only a seeded sample of the query rows: N[,SEED]");
  verb->add_option("--warp-order", options.warpOrder, "ptx-sim: seed of the order in which warps run (default 0)");
}

void addGenerated(CLI::App *verb, CompareOptions &options) {
  verb->add_option("--shape", options.shape, "sizes of generated operands: B=1,T=4096,Hq=16,Hkv=4,D=64[,Dv=64][,Tq=1]");
  verb->add_option(
      "--packed", options.packed,
      "packed sequences in place of B, T and S: ROWS[:KEYS],... of each; queries stand at the end of the keys");
  verb->add_option("--dtype", options.dtype, "type of generated operands: f32 (default), f16, bf16");
  verb->add_option("--seed", options.seed, "seed of generated operands (default 1)");
  verb->add_flag(
      "--keep-summaries", options.keepSummaries,
      "the kernel of a decoding engine: it extends summaries and codes of keys that an earlier call has made");
  verb->add_flag("--json", options.json, "print one JSON object");
}

void addRun(CLI::App &app, RunOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("run", "compute the results of a pattern on arrays");
  addCall(verb, options);
  addRows(verb, options);
  verb->add_option("--out", options.outs, "a result to write, NAME=FILE.npy; repeat for more")->allow_extra_args(false);
  verb->add_flag("--oracle", options.oracle, "use the float64 reference in place of a compiled kernel");
  verb->add_flag("--json", options.json, "print one JSON object");
  verb->footer(
      "Examples:\n"
      "  sparse-attn run causal --arg q=q.npy --arg k=k.npy --arg v=v.npy --out o=o.npy --out lse=lse.npy\n"
      "  sparse-attn run mine.mlir --arg q:bf16=q.npy --arg k:bf16=k.npy --arg v:bf16=v.npy --out o=o.npy --oracle\n"
      "  sparse-attn run window --arg q=last.npy --arg k=k.npy --arg v=v.npy --q-offset 4095 --out o=o.npy");
  verb->callback([&] { action = [&] { return run(options); }; });
}

void addVerify(CLI::App &app, CompareOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("verify", "compare a compiled kernel with the float64 reference; causality");
  addCall(verb, options);
  addRows(verb, options);
  addGenerated(verb, options);
  verb->add_option(
      "--strides", options.strides,
      "seed of the order of axes in memory, gaps between them and axes that lie backwards (default 0: none)");
  verb->footer(
      "Without --arg, operands are generated: multiples of 1/8, so that selections have exact ties.\nExamples:\n"
      "  sparse-attn verify nsa\n"
      "  sparse-attn verify mine.mlir --shape T=300,Hq=4,Hkv=2,D=32 --target cpu-avx2\n"
      "  sparse-attn verify causal --packed 17,0,300,1:900 --shape Hq=4,Hkv=2,D=32     (sequences of other lengths)\n"
      "  sparse-attn verify window --arg q=q.npy --arg k=k.npy --arg v=v.npy --rows 256,1");
  verb->callback([&] { action = [&] { return verify(options); }; });
}

void addBench(CLI::App &app, CompareOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("bench", "time a kernel beside the machine's measured peak");
  addCall(verb, options);
  addGenerated(verb, options);
  verb->add_option("--repeat", options.repeat, "timed runs (default: 3 to 25 by their length)")
      ->check(CLI::Range(1, 10000));
  verb->add_option("--against", options.against,
                   "another pattern, timed in turn with it; takes the sizes, params and operands that it has too");
  verb->add_flag("--sweep", options.sweep,
                 "time the chosen dataflow in turn with all others that a pattern has, over a grid of patterns and\n"
                 "shapes; PATTERN may be a list (A,B) then, and --shape one shape in place of the grid's");
  verb->get_option("PATTERN")->required(false);
  verb->footer("Useful work counts visible or selected pairs only; each run is paired with a measurement of the "
               "peak.\nExamples:\n"
               "  sparse-attn bench causal --shape T=4096,Hq=16,D=64 --threads 1\n"
               "  sparse-attn bench causal --shape B=8,T=8192,Tq=1,Hq=32,Hkv=8,D=128      (decode)\n"
               "  sparse-attn bench nsa --shape T=16384,Hq=16,Hkv=4,D=64 --against causal\n"
               "  sparse-attn bench topk_blocks --shape T=65536,Hq=16,Hkv=4,D=64 --param n=8 --json\n"
               "  sparse-attn bench --sweep                                  (was the choice of a dataflow right?)");
  verb->callback([&] {
    if (!options.sweep && options.pattern.empty())
      throw CLI::RequiredError("PATTERN");
    action = [&] { return options.sweep ? sweep(options) : bench(options); };
  });
}

void addExplain(CLI::App &app, CompareOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("explain", "show a kernel's key, plan, sizes and the compiler's reasons");
  addCall(verb, options);
  addGenerated(verb, options);
  verb->footer("Examples:\n"
               "  sparse-attn explain nsa\n"
               "  sparse-attn explain moba --shape T=65536,Hq=16,Hkv=4,D=128 --dtype bf16");
  verb->callback([&] { action = [&] { return explain(options); }; });
}

void addCache(CLI::App &app, CacheOptions &options, Action &action) {
  CLI::App *cache = app.add_subcommand("cache", "look at the kernel cache and clean it: ls, verify, gc, clear");
  cache->require_subcommand(1);
  cache->footer("Examples:\n"
                "  sparse-attn cache ls\n"
                "  sparse-attn cache gc --max-bytes 100000000");
  auto add = [&](const char *name, const char *text, int (*verb)(const CacheOptions &)) {
    CLI::App *sub = cache->add_subcommand(name, text);
    sub->add_flag("--json", options.json, "print one JSON object");
    sub->callback([&action, &options, verb] { action = [&options, verb] { return verb(options); }; });
    return sub;
  };
  add("ls", "list the entries, last used first", cacheList);
  add("verify", "read every byte and check every hash; exit status 1 if something is damaged", cacheVerify);
  add("gc", "remove damaged entries, then the least recently used beyond the bound", cacheGc)
      ->add_option("--max-bytes", options.maxBytes, "bound of the directory (default: 1 GiB)")
      ->check(CLI::NonNegativeNumber);
  add("clear", "remove every entry", cacheClear);
}

void addPack(CLI::App &app, PackOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("pack", "write a call for gpu-check: kernels, operands, the oracle's results");
  addPattern(verb, options);
  verb->add_option("--shape", options.shape, "sizes of the operands: B=1,T=4096,Hq=16,Hkv=4,D=64[,Dv=64][,Tq=1]");
  verb->add_option("--dtype", options.dtype, "type of the operands: f32 (default), f16, bf16");
  verb->add_option("--seed", options.seed, "seed of the operands (default 1)");
  verb->add_option("--gpu", options.targets, "a target of the kernels, sm_80 to sm_120a; repeat for more")
      ->allow_extra_args(false)
      ->required();
  verb->add_option("--to", options.folder, "the folder; made if need be")->required();
  verb->add_option("--name", options.name, "name of the call and its files")->required();
  verb->add_flag("--timing", options.timing, "sizes alone, for calls that are timed and not compared");
  addPageSize(verb, options, "operands over s are laid out in pages of so many keys");
  verb->footer("tools/gpu_pack.py makes a whole folder of them and adds what a machine with a GPU needs.\nExample:\n"
               "  sparse-attn pack nsa --shape T=300,Hq=16,Hkv=1,D=64 --dtype bf16 --gpu sm_80 --gpu sm_90a --to pack "
               "--name nsa1");
  verb->callback([&] { action = [&] { return pack(options); }; });
}

void addPtxRun(CLI::App &app, PtxRunOptions &options, Action &action) {
  CLI::App *verb = app.add_subcommand("ptx-run", "run a kernel of a PTX file in the interpreter, which checks it");
  verb->add_option("FILE", options.file, "PTX text")->required();
  verb->add_option("--kernel", options.kernel, "the entry to run; needed where there are several");
  verb->add_option("--grid", options.grid, "blocks: X[,Y[,Z]] (default 1)");
  verb->add_option("--block", options.block, "threads of a block: X[,Y[,Z]] (default 1)");
  verb->add_option("--shared", options.shared, "bytes of dynamic shared memory");
  verb->add_option("--param", options.params,
                   "a parameter, in the kernel's order: i32=, u32=, i64=, u64=, f32=NUMBER, in=FILE.npy,\n"
                   "inout=FILE.npy:RESULT.npy, out=TYPE[SIZES]:RESULT.npy (TYPE f32, f16, bf16, i32, i64)")
      ->allow_extra_args(false);
  verb->add_option("--seed", options.seed, "chooses the order of warps and when asynchronous work completes");
  verb->add_flag("--json", options.json, "print one JSON object, with the count of each instruction");
  verb->footer("Reports accesses out of bounds, races, missing waits, reads of what nobody wrote, divergent barriers "
               "and deadlocks,\n"
               "each with its line; exit status 1 then, and no file is written. Arrays are .npy files of float32, "
               "float16, int32,\n"
               "int64 or uint16.\nExample:\n"
               "  sparse-attn ptx-run scale.ptx --grid 4 --block 128 --param in=x.npy --param out=f32[512]:y.npy "
               "--param f32=0.5");
  verb->callback([&] { action = [&] { return ptxRun(options); }; });
}

int dispatch(int argc, char **argv) {
  CLI::App app{"Sparse attention patterns: a text of a few lines becomes a fast kernel.", "sparse-attn"};
  app.set_version_flag(
      "--version", [] { return std::string("sparse-attn ") + sattn_version() + " (" + sattn_compiler_build() + ")"; });
  app.require_subcommand(1);
  app.footer(examples);
  Action action;
  RunOptions runOptions;
  CompareOptions verifyOptions, benchOptions, explainOptions;
  CacheOptions cacheOptions;
  PackOptions packOptions;
  PtxRunOptions ptxOptions;
  bool doctorJson = false;
  std::string name;
  addRun(app, runOptions, action);
  addVerify(app, verifyOptions, action);
  addBench(app, benchOptions, action);
  addExplain(app, explainOptions, action);
  addCache(app, cacheOptions, action);
  addPack(app, packOptions, action);
  addPtxRun(app, ptxOptions, action);
  CLI::App *doctorVerb = app.add_subcommand("doctor", "say what was found on this machine; exit status 1 on problems");
  doctorVerb->add_flag("--json", doctorJson, "print one JSON object");
  doctorVerb->footer("Example:\n  sparse-attn doctor");
  doctorVerb->callback([&] { action = [&] { return doctor(doctorJson); }; });
  CLI::App *newVerb = app.add_subcommand("new", "write NAME.mlir, a pattern to start from");
  newVerb->add_option("NAME", name, "letters, digits and '_'")->required();
  newVerb->footer("Example:\n  sparse-attn new mine && sparse-attn verify mine.mlir");
  newVerb->callback([&] { action = [&] { return newPattern(name); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return action();
}
} // namespace

int main(int argc, char **argv) {
  try {
    int status = dispatch(argc, argv);
    return std::fflush(stdout) == 0 ? status : 1;
  } catch (const ToolError &error) {
    std::string text = error.what();
    // Diagnostics of the compiler have a place and a line end already; the runtime passes them on under a code.
    bool isPlaced = !text.empty() && text.back() == '\n';
    if (isPlaced && text.rfind("[SA0407] ", 0) == 0)
      text.erase(0, 9);
    std::fputs((isPlaced ? text : "sparse-attn: error: " + text + "\n").c_str(), stderr);
  } catch (const std::bad_alloc &) {
    std::fputs("sparse-attn: error: [SA0615] not enough memory: use smaller sizes\n", stderr);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "sparse-attn: error: %s\n", error.what());
  }
  return 1;
}
