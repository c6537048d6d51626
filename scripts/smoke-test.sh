#!/usr/bin/env bash
# Ask a running service for what every release must answer; ends with 1 at the first answer that is wrong.
# What is done to answers on their way, which no release mends, is told in a line with `note:` and does not count.
# usage: scripts/smoke-test.sh URL [DATASET] [QUERY]
#   without DATASET only /health and a problem are asked; QUERY filters it, such as organisation-entity=122
#   API_KEY is sent as x-api-key when it is set. RETRIES (3) is how often a 5xx is asked again.
#   STALL_SECONDS (20) is how long an answer without a body may take to arrive.
#   With SIGN_REGION the requests are signed with the AWS keys of the environment, as a function URL with AWS_IAM
#   wants: past a CDN, whose cache would answer for an older release.
set -euo pipefail

url=${1:?usage: $0 URL [DATASET] [QUERY]}
url=${url%/}
dataset=${2:-}
query=${3:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

options=(--silent --show-error --globoff --max-time 120 --retry "${RETRIES:-3}" --retry-max-time 120)
# From a file, not as words that every process can see; curl hides what --user has by itself.
options+=(--header "@$folder/secrets")
: > "$folder/secrets"
[[ -z ${API_KEY:-} ]] || printf 'x-api-key: %s\n' "$API_KEY" >> "$folder/secrets"
if [[ -n ${SIGN_REGION:-} ]]; then
    options+=(--aws-sigv4 "aws:amz:$SIGN_REGION:lambda" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")
    [[ -z ${AWS_SESSION_TOKEN:-} ]] || printf 'x-amz-security-token: %s\n' "$AWS_SESSION_TOKEN" >> "$folder/secrets"
fi

fail() {
    echo "smoke test: $1" >&2
    sed 's/^/  /' "$folder/headers" >&2 || true
    exit 1
}

note() {
    echo "smoke test: note: $1 (docs/lambda.md, Function URLs)" >&2
    [[ -z ${GITHUB_ACTIONS:-} ]] || echo "::warning title=smoke test::$1"
}

# ask STATUS PATH [CURL OPTION…]: the answer's status must be this one; its body and headers lie in the folder.
ask() {
    local wanted=$1 path=$2 status
    shift 2
    : > "$folder/headers"
    # 503 is tried again by curl, as Retry-After says: a place may be taken, or a function just be starting.
    status=$(curl "${options[@]}" "$@" --dump-header "$folder/headers" --output "$folder/body" \
        --write-out '%{http_code}' "$url$path") || fail "$path: no whole answer"
    [[ $status == "$wanted" ]] || fail "$path: status $status, not $wanted"
    echo "$status $path"
}

# header NAME (in small letters): its value in the last answer.
header() {
    tr -d '\r' < "$folder/headers" \
        | awk -v name="$1:" 'tolower($1) == name { sub(/^[^:]*: */, ""); value = $0 } END { print value }'
}

ask 200 /health
grep -q '"status": *"healthy"' "$folder/body" || fail "/health: not healthy"

ask 404 /no-such-dataset-of-the-smoke-test.csv
[[ $(header content-type) == application/problem+json* ]] || fail "an error is not problem+json"

[[ -n $dataset ]] || exit 0
path="/$dataset.csv${query:+?$query}"
ask 200 "$path"
[[ $(header content-type) == text/csv* ]] || fail "$path: not text/csv"
(($(wc -l < "$folder/body") > 1)) || fail "$path: no rows"
etag=$(header etag)
[[ -n $etag ]] || fail "$path: no ETag"
length=$(header content-length)
[[ -z $length || $length == "$(wc -c < "$folder/body" | tr -d ' ')" ]] || fail "$path: not as long as it says"

renamed=$(header x-amzn-remapped-content-length)
[[ -z $renamed || $renamed == "$(wc -c < "$folder/body" | tr -d ' ')" ]] || fail "$path: not as long as it says"
[[ -z $renamed ]] || note "Content-Length is renamed on the way: tools that read by URL do not find it"
mv "$folder/body" "$folder/plain"

conditional=(--header "If-None-Match: $etag")
stalled=0
curl "${options[@]}" "${conditional[@]}" --retry 0 --max-time "${STALL_SECONDS:-20}" --output /dev/null "$url$path" \
    2> /dev/null || stalled=$?
if ((stalled == 28)); then # curl's word for a time that ran out
    note "an answer without a body does not arrive, such as a 304"
else
    ask 304 "$path" "${conditional[@]}"
fi

ask 200 "$path" --header 'Accept-Encoding: gzip'
coding=$(header content-encoding)
if [[ $(head -c 2 "$folder/body" | od -An -tx1 | tr -d ' \n') == 1f8b ]]; then
    gzip --test < "$folder/body" || fail "$path: not whole gzip"
    gzip --decompress --stdout < "$folder/body" | cmp --silent - "$folder/plain" \
        || fail "$path: as gzip it has other content"
    [[ -n $coding ]] || note "Content-Encoding is taken off on the way, and the body left coded: set CODINGS=off"
elif cmp --silent "$folder/body" "$folder/plain" && [[ -z $coding ]]; then
    # With CODINGS=off it is the same answer; what was decoded on the way has the ETag of what was coded.
    [[ $(header etag) == "$etag" ]] || note "coded answers are decoded on the way, and cost more than plain ones: set CODINGS=off"
else
    fail "$path: neither gzip nor what it is without a coding"
fi
