#!/usr/bin/env bash
# Prints where the Lambda Web Adapter's program is, and builds it first where it is not there yet.
# LAMBDA_ADAPTER names a ready one. Ends with 3 where it can be neither found nor built.
set -euo pipefail

# The Dockerfile's image of the adapter has the same version; tests/test_lambda_adapter.py compares.
readonly VERSION=0.9.1

if [[ -n ${LAMBDA_ADAPTER:-} ]]; then
  [[ -x $LAMBDA_ADAPTER ]] || { echo "LAMBDA_ADAPTER names no program: $LAMBDA_ADAPTER" >&2; exit 3; }
  echo "$LAMBDA_ADAPTER"
  exit
fi

cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/download-lambda
program=$cache/lambda-adapter-$VERSION
if [[ ! -x $program ]]; then
  if ! command -v cargo > /dev/null; then
    echo "lambda_web_adapter $VERSION is left out: cargo is not installed" >&2
    exit 3
  fi
  mkdir -p "$cache"
  built=$(mktemp -d "$cache/.build.XXXXXX")
  trap 'rm -rf "$built"' EXIT
  if ! cargo install --quiet --locked --version "=$VERSION" --root "$built" lambda_web_adapter >&2; then
    echo "lambda_web_adapter $VERSION is left out: cargo could not install it" >&2
    exit 3
  fi
  # Renamed when whole, so that no other run finds half of it.
  mv "$built/bin/lambda-adapter" "$program"
fi
echo "$program"
