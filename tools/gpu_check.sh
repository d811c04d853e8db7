#!/usr/bin/env bash
# Checks and times our kernels on the GPU of this machine, in the folder that tools/gpu_pack.py made. Needs the driver;
# the comparison with PyTorch's attention is made where Python has a PyTorch that sees the GPU.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
usage: gpu_check.sh [--results FOLDER] [--rounds N] [--device N] [--quick]
  --results  where the results go: correctness.jsonl, timing.jsonl, machine.txt (default: results)
  --rounds   rounds of timing, ours and each peer's in turn (default 3)
  --quick    correctness alone
Exit status 1 when a result differs from the oracle.
TEXT
}

results=results rounds=3 device=0 quick=
while [[ $# -gt 0 ]]; do
  case $1 in
    --results) results=${2:?--results takes a folder} && shift ;;
    --rounds) rounds=${2:?--rounds takes a number} && shift ;;
    --device) device=${2:?--device takes a number} && shift ;;
    --quick) quick=1 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
if [[ ! -x ./gpu-check || ! -d calls ]]; then
  echo "gpu_check: this is not a folder of tools/gpu_pack.py: make one and run the script there" >&2
  exit 1
fi

export LD_LIBRARY_PATH=$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
mkdir -p "$results"
{
  date -u +"%Y-%m-%d %H:%M UTC"
  uname -srm
  nvidia-smi --query-gpu=name,driver_version,clocks.max.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
} >"$results/machine.txt"

echo "== correctness"
status=0
./gpu-check calls --device "$device" >"$results/correctness.jsonl" || status=1
# Newer devices run the kernels for older ones, too.
./gpu-check calls --device "$device" --target sm_80 >>"$results/correctness.jsonl" || status=1
grep -F '"agrees":false' "$results/correctness.jsonl" | head -n 20 || true
grep -F '"passed"' "$results/correctness.jsonl"
[[ -z $quick ]] || exit $status

echo "== timing"
: >"$results/timing.jsonl"
peers=
python=$(command -v python3 || true)
if [[ -n $python ]] && "$python" gpu_peers.py --check 2>"$results/peers.txt"; then peers=1; else
  echo "no peers: $(cat "$results/peers.txt" 2>/dev/null || echo "no python3")"
fi
for round in $(seq "$rounds"); do
  ./gpu-check timing --device "$device" --time | grep -F '"case"' | sed "s/^{/{\"round\":$round,\"who\":\"sattn\",/" \
    >>"$results/timing.jsonl" || status=1
  [[ -z $peers ]] || "$python" gpu_peers.py timing --device "$device" --round "$round" >>"$results/timing.jsonl" || status=1
done
if [[ -n $python ]]; then "$python" gpu_peers.py --summary "$results/timing.jsonl"; else cat "$results/timing.jsonl"; fi
exit $status
