#!/usr/bin/env bash
# docs/generated and docs/errors.md are what tools/docs.sh makes of the sources now. usage: generated_docs.sh [--self-test]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/docs.sh "$fresh/now"

check() { # FOLDER
  { diff -rq "$1/generated" "$fresh/now/generated" && diff -q "$1/errors.md" "$fresh/now/errors.md"; } >"$fresh/log" && return
  sed "s|$fresh/now|the sources|" "$fresh/log"
  echo "generated pages are stale: run tools/docs.sh and commit what it wrote"
  return 1
}

self_test() {
  cp -r "$fresh/now" "$fresh/same"
  check "$fresh/same"
  cp -r "$fresh/now" "$fresh/edited"
  for page in "$fresh"/edited/generated/*; do echo "one more line" >>"$page"; done
  cp -r "$fresh/now" "$fresh/errors"
  echo "one more line" >>"$fresh/errors/errors.md"
  cp -r "$fresh/now" "$fresh/more"
  touch "$fresh/more/generated/op_that_was_removed.md"
  for stale in edited errors more missing; do
    if check "$fresh/$stale" >/dev/null 2>&1; then echo "self-test: '$stale' was not noticed" && exit 1; fi
  done
}

case ${1:-} in
  --self-test) self_test ;;
  *) check docs ;;
esac
