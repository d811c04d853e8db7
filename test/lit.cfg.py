# The lit suite: every .mlir and .test file under test/, run with the tools of the build first in PATH, then LLVM's.
# Files that tests read but that are no tests themselves live in folders called Inputs.
import glob
import os
import shutil

import lit.formats

config.name = "sattn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "golden"]
config.test_source_root = config.sattn_source_dir + "/test"
config.test_exec_root = config.sattn_build_dir + "/test/lit"

config.environment["PATH"] = os.pathsep.join(
    [config.sattn_build_dir + "/bin", config.llvm_tools_dir, "/usr/bin", "/bin"]
)
# A test never sees the cache of the person who runs it.
config.environment["SATTN_CACHE_DIR"] = config.test_exec_root + "/cache"
config.environment["NO_COLOR"] = "1"
config.substitutions.append(("%patterns", config.sattn_source_dir + "/examples/patterns"))
config.substitutions.append(("%src", config.sattn_source_dir))
config.substitutions.append(("%python", config.sattn_build_dir + "/venv/bin/python3"))

config.substitutions.append(("%build", config.sattn_build_dir))
config.substitutions.append(("%cc", config.c_compiler))
# Tests are the same with and without a GPU: none, or `%cuda-sim=cc=90 COMMAND` for the simulated driver.
config.environment["SATTN_LIBCUDA"] = "/nowhere/libcuda.so.1"
config.environment["SATTN_CUDA_TOOLS"] = ""
cuda_folders = ["/usr/local/cuda/lib64", *os.environ.get("SATTN_CUDA_TOOLS", "").split(":"),
                *glob.glob(config.sattn_build_dir + "/venv/lib/python*/site-packages/nvidia/cu13/lib")]
for feature, library in {"nvjitlink": "libnvJitLink.so.13", "nvrtc": "libnvrtc.so.13"}.items():
    if folder := next((folder for folder in cuda_folders if os.path.exists(f"{folder}/{library}")), None):
        config.available_features.add(feature)
        config.substitutions.append(("%" + feature, folder))
cuda_sim = config.sattn_build_dir + "/test/lib/libcuda-sim.so"
config.substitutions.append(("%cuda-sim", f"env SATTN_LIBCUDA={cuda_sim} SATTN_CUDA_SIM"))

# Programs outside the build cannot link its libraries where those need a sanitizer's runtime.
if not config.sanitizers:
    config.available_features.add("plain-build")
for tool in ("ptxas", "nvdisasm"):
    if path := shutil.which(tool):
        config.available_features.add(tool)
        config.environment["PATH"] += os.pathsep + os.path.dirname(path)
# Suites too long for every run: `lit --param full=1`.
if lit_config.params.get("full"):
    config.available_features.add("full")
if shutil.which("pkg-config", path=config.environment["PATH"]):
    config.available_features.add("pkg-config")
# `// REQUIRES: avx512` and the like: what this processor has.
with open("/proc/cpuinfo") as info:
    flags = set(next((line for line in info if line.startswith("flags")), "").split())
for feature, needs in {
    "avx2": {"avx2"},
    "avx512": {"avx512dq"},
    "avx512-bf16": {"avx512_bf16", "avx512_vpopcntdq"},
    "amx": {"amx_tile"},
}.items():
    if needs <= flags:
        config.available_features.add(feature)
