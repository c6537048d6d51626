#!/usr/bin/env bash
# Give a Lambda function an image, try it, and give it the image it had before if it fails.
# usage: scripts/deploy-function.sh FUNCTION REPOSITORY@sha256:DIGEST URL [DATASET] [QUERY]
#   URL, DATASET and QUERY are what scripts/smoke-test.sh is called with.
#   ALIAS is the alias that clients ask, if they do: the image becomes a version, and the alias is moved to it.
# Ends with 0 when the new image serves; with 1 when it does not and the old one is back; with 2 when it was
# called wrongly or nothing was changed; with 3 when the old image could not be put back: look at it at once.
# For a manual rollback call it with an older image; scripts/smoke-test.sh then tries that one.
set -euo pipefail

usage="usage: $0 FUNCTION REPOSITORY@sha256:DIGEST URL [DATASET] [QUERY]"
function=${1:?$usage}
image=${2:?$usage}
: "${3:?$usage}"
shift 2
here=$(dirname "${BASH_SOURCE[0]}")
[[ $image =~ @sha256:[0-9a-f]{64}$ ]] || { echo "$image names no digest; tags can move" >&2; exit 2; }

alias=${ALIAS:-}

# update IMAGE: the function, or its alias, has it and takes requests when this returns.
update() {
    local version
    version=$(aws lambda update-function-code --function-name "$function" --image-uri "$1" --output text \
        ${alias:+--publish} --query Version) \
        && aws lambda wait function-updated-v2 --function-name "$function" || return
    [[ -z $alias ]] && return
    aws lambda wait published-version-active --function-name "$function" --qualifier "$version" \
        && aws lambda update-alias --function-name "$function" --name "$alias" --function-version "$version" \
            --output text --query FunctionVersion
}

# ResolvedImageUri has the digest even where ImageUri was given as a tag.
before=$(aws lambda get-function --function-name "$function" ${alias:+--qualifier "$alias"} --query Code.ResolvedImageUri --output text) \
    || { echo "$function: cannot be read" >&2; exit 2; }
echo "$function: from $before to $image"
[[ -z ${GITHUB_OUTPUT:-} ]] || echo "previous=$before" >> "$GITHUB_OUTPUT"

if update "$image" && "$here/smoke-test.sh" "$@"; then
    echo "$function: serves $image"
    exit 0
fi

echo "$function: failed, back to $before" >&2
# Whatever the failed update still does ends first: a function takes one update at a time.
aws lambda wait function-updated-v2 --function-name "$function" || true
if update "$before" && "$here/smoke-test.sh" "$@"; then
    echo "$function: serves $before again" >&2
    exit 1
fi
echo "$function: $before could not be put back" >&2
exit 3
