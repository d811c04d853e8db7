#!/usr/bin/env bash
# docs/generated, docs/errors.md and docs/support.md are what tools/docs.sh makes of the sources now. usage: generated_docs.sh [--self-test]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/docs.sh "$fresh/now"

check() { # FOLDER
  local same=1
  diff -rq "$1/generated" "$fresh/now/generated" >"$fresh/log" || same=
  for page in errors.md support.md; do diff -q "$1/$page" "$fresh/now/$page" >>"$fresh/log" || same=; done
  [[ -z $same ]] || return 0
  sed "s|$fresh/now|the sources|" "$fresh/log"
  echo "generated pages are stale: run tools/docs.sh and commit what it wrote"
  return 1
}

self_test() {
  cp -r "$fresh/now" "$fresh/same"
  check "$fresh/same"
  cp -r "$fresh/now" "$fresh/edited"
  for page in "$fresh"/edited/generated/*; do echo "one more line" >>"$page"; done
  for page in errors support; do
    cp -r "$fresh/now" "$fresh/$page"
    echo "one more line" >>"$fresh/$page/$page.md"
  done
  cp -r "$fresh/now" "$fresh/more"
  touch "$fresh/more/generated/op_that_was_removed.md"
  for stale in edited errors support more missing; do
    if check "$fresh/$stale" >/dev/null 2>&1; then echo "self-test: '$stale' was not noticed" && exit 1; fi
  done
}

case ${1:-} in
  --self-test) self_test ;;
  *) check docs ;;
esac
