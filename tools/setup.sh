#!/usr/bin/env bash
# One command from a bare Debian 12 to a built project: installs what is missing, makes build/venv, configures and
# builds into build/. Idempotent and resumable: what is there already is left alone, and a second run takes a second.
# tools/test.sh and tools/demo.sh call it first.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the build needs (LLVM 22 from Debian's security suite) and what the tests need beside it (the last lines).
packages=(
  clang-22 lld-22 liblld-22-dev llvm-22-dev libmlir-22-dev mlir-22-tools libzstd-dev zlib1g-dev
  libfmt-dev libcli11-dev nlohmann-json3-dev libsodium-dev libdlpack-dev cmake ninja-build ccache
  llvm-22-tools libclang-rt-22-dev clang-format-22 doctest-dev pkg-config
)
download_mb=330 # of all packages with what they depend on, on a system that has none of them
packages_gb=2.2 # the same, unpacked
build_gb=1      # build/ and the runtime's sanitizer builds beside it
core_minutes=16 # compile time of a first build on one core
# NVIDIA's compiler of CUDA C++ and its linker, for --cuda-tools; the toolkit has them too.
cuda_tools=(nvidia-cuda-nvrtc==13.0.88 nvidia-nvjitlink==13.0.88)

usage() {
  cat <<TEXT
usage: tools/setup.sh [--cuda-tools] [--help]
Installs the missing Debian packages (as root or with sudo), makes build/venv and builds into build/.
On a system with none of it: $download_mb MB to download, $packages_gb GB for packages, $build_gb GB for the build.

  --cuda-tools  also puts NVRTC and nvJitLink into build/venv (130 MB to download), for functions in CUDA C++ and
                --emit=cubin; nothing else needs them, and what the CUDA toolkit has is found without
TEXT
}

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

refuse_other_systems() {
  if [[ $(uname -s) != Linux || $(uname -m) != x86_64 ]] || ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
    die "sattn supports Linux on x86-64 with glibc; this is $(uname -s) on $(uname -m)"
  fi
}

# Prints a Python that can make an environment with numpy in it, or nothing.
find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import ensurepip, numpy, sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
}

venv_works() { build/venv/bin/python3 -c 'import numpy' 2>/dev/null; }

# Fills `missing` with the packages to install.
find_missing() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "no apt here: install LLVM, MLIR and clang 22.1 and the libraries of THIRD_PARTY.md, then use 'cmake --preset release'"
  fi
  local wanted=("${packages[@]}")
  if ! venv_works && [[ -z $(find_python) ]]; then
    wanted+=(python3 python3-venv python3-numpy)
  fi
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' || true)
  mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort) <(sort <<<"$installed"))
}

apt_line() { echo "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

can_be_root() {
  [[ $(id -u) == 0 ]] && return
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }
}

# LLVM 22 came to Debian 12 with the security suite; a system without it is told so and left as it is.
require_llvm_offered() {
  [[ $(apt-cache policy libmlir-22-dev 2>/dev/null) == *'Candidate: '[0-9]* ]] && return
  [[ $1 == reached ]] || die "the package archive cannot be reached; with a network, run as root: $(apt_line)"
  local system
  system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
  cat >&2 <<TEXT
setup: LLVM 22 is not offered by the package sources of this system (${system:-unknown}).
On Debian 12 it comes from the security suite. Add it as root, then run this again:
  echo 'deb http://deb.debian.org/debian-security bookworm-security main' > /etc/apt/sources.list.d/bookworm-security.list
TEXT
  exit 1
}

install_packages() {
  say "to do: at most $download_mb MB to download, $packages_gb GB for packages, $build_gb GB for the build," \
    "$((core_minutes / jobs + 3)) minutes on $jobs cores"
  say "missing packages: ${missing[*]}"
  can_be_root || die "no way to become root here; as root, run: $(apt_line)"
  local archive=reached
  as_root apt-get -qq -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=300 update || archive=unreached
  require_llvm_offered "$archive"
  as_root apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>/dev/null |
    sed -n 's/^\(Need to get .*\|After this operation.*\)/setup: \1/p' || true
  # A broken earlier installation is completed first; that is what makes this step resumable.
  as_root dpkg --configure -a
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}" >build/apt.log ||
    die "installation failed (build/apt.log has the details); to repeat it as root: $(apt_line)"
}

# Debian's Python is managed by Debian, so ours is an environment of its own that sees Debian's numpy.
make_venv() {
  venv_works && return
  say "making build/venv"
  local python
  python=$(find_python)
  [[ -n $python ]] || die "no Python with venv and numpy was found after the installation"
  "$python" -m venv --clear --system-site-packages build/venv
  venv_works || die "build/venv has no numpy; remove build/venv and run this again"
}

# Optional, so only on demand; pip leaves alone what is there.
install_cuda_tools() {
  say "installing ${cuda_tools[*]} into build/venv"
  build/venv/bin/python3 -m pip install --quiet --disable-pip-version-check "${cuda_tools[@]}" ||
    die "NVIDIA's packages cannot be installed; without them functions in CUDA C++ and --emit=cubin are refused"
  say "for tools to find them: export VIRTUAL_ENV=$PWD/build/venv"
}

require_space() {
  local free_gb
  free_gb=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
  [[ $free_gb -ge $((build_gb + 1)) ]] || die "$PWD has $free_gb GB of free space; the build needs $((build_gb + 1)) GB"
}

configure() {
  local home
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' build/CMakeCache.txt 2>/dev/null || true)
  [[ $home == "$PWD" && -e build/build.ninja && build/CMakeCache.txt -nt CMakePresets.json ]] && return
  say "configuring"
  # A folder that was configured elsewhere (a moved clone) is configured afresh; its objects stay useful through ccache.
  local fresh=()
  [[ -z $home || $home == "$PWD" ]] || fresh=(--fresh)
  cmake "${fresh[@]}" --preset release >build/configure.log 2>&1 || {
    tail -n 30 build/configure.log >&2
    die "configuring failed; the whole log is build/configure.log"
  }
}

# One line that moves on a terminal, one line for each tenth elsewhere; what compilers say is always shown.
build() {
  if [[ -t 1 ]]; then
    NINJA_STATUS='[%f/%t, %e s] ' cmake --build build -j "$jobs"
    return
  fi
  cmake --build build -j "$jobs" 2>&1 | awk '
    /^\[[0-9]+\/[0-9]+\] / {
      split(substr($1, 2), n, /[\/\]]/); tenth = int(10 * n[1] / n[2])
      if (n[2] > 1 && tenth > shown) { shown = tenth; print "setup: built " n[1] " of " n[2]; fflush() }
      next
    }
    !/^(-- |ninja: no work to do)/ { print; fflush() }'
}

main() {
  local wants_cuda_tools=
  case ${1:-} in
    "") ;;
    --cuda-tools) wants_cuda_tools=1 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  refuse_other_systems
  { mkdir -p build && [[ -w build ]]; } 2>/dev/null || die "$PWD/build cannot be written by $(id -un)"
  # One run at a time; a second one waits and then finds everything done.
  exec 9>build/.setup.lock
  flock 9
  local memory_gb cores
  memory_gb=$(awk '/^MemTotal:/ {print int($2 / 1048576 + 0.5)}' /proc/meminfo)
  cores=$(nproc)
  jobs=$((memory_gb / 2 < cores ? memory_gb / 2 : cores))
  jobs=$((jobs < 1 ? 1 : jobs))
  # ccache needs a place to write; a user without a home gets one inside build/.
  if [[ -z ${CCACHE_DIR:-} && ! -w ${HOME:-/nonexistent} ]]; then
    export CCACHE_DIR=$PWD/build/ccache
  fi
  find_missing
  if [[ ${#missing[@]} -gt 0 ]]; then
    install_packages
  elif [[ ! -e build/build.ninja ]]; then
    say "to do: nothing to download, $build_gb GB for the build, about $((core_minutes / jobs + 1)) minutes on $jobs cores"
  fi
  require_space
  make_venv
  [[ -z $wants_cuda_tools ]] || install_cuda_tools
  configure
  build 9>&-
  say "ready in ${SECONDS} s: build/bin"
}

main "$@"
