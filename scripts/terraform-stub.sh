#!/usr/bin/env bash
# Print the path of a configuration for TF_CLI_CONFIG_FILE under which terraform takes a stub for the AWS provider,
# which only HashiCorp's registry has. The stub has the provider's schema, out of the bindings in an npm package, and
# is built by go; both once for what deploy/terraform uses, into the user's cache.
# Ends with 3 and says why in a line where it can be neither found nor made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Its bindings are of version 6.66.0 of the provider.
readonly PACKAGE=@cdktn/provider-aws VERSION=25.7.0
readonly INTEGRITY=sha512-E/nhu0yVZE4mXMgIPuI8tEFt1BExLkA7ARjihdG+/HmfDfzLr+OEF3dkFRvI6glRt30lrrBWQLwXqCJBxcmyUg==

left_out() {
    echo "the AWS provider's schema is left out: $1" >&2
    exit 3
}

used=$(find ../deploy/terraform -name .terraform -prune -o -name '*.tf' -exec grep -hoE '^(resource|data) "aws_\w+"' {} + | sort -u)
key=$({ cat terraform-stub/* terraform-stub.sh; echo "$used"; } | cksum | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/download-lambda
stub=$cache/terraform-stub-$key
if [[ ! -e $stub/terraformrc ]]; then
    command -v go > /dev/null || left_out "go is not installed"
    command -v npm > /dev/null || left_out "npm is not installed"
    mkdir -p "$cache"
    made=$(mktemp -d "$cache/.build.XXXXXX")
    trap 'rm -rf "$made"' EXIT
    package=$cache/provider-aws-$VERSION.tgz
    got=()
    if [[ ! -e $package ]]; then
        (cd "$made" && npm pack --silent --ignore-scripts "$PACKAGE@$VERSION" > /dev/null) \
            || left_out "npm cannot get $PACKAGE $VERSION here"
        got=("$made"/*.tgz)
    fi
    python3 terraform-stub/schema.py "${got[0]:-$package}" "$INTEGRITY" <<< "$used" > "$made/schema.json"
    [[ -z ${got[0]:-} ]] || mv "${got[0]}" "$package"
    (cd terraform-stub && go build -trimpath -ldflags '-s -w' -o "$made/terraform-provider-aws" .) >&2 \
        || left_out "go cannot build it here"
    printf 'disable_checkpoint = true\nprovider_installation {\n  dev_overrides {\n    "hashicorp/aws" = "%s"\n  }\n}\n' \
        "$stub" > "$made/terraformrc"
    # Renamed when whole, so that no other run finds half of it; another may have been quicker.
    [[ -e $stub ]] || mv "$made" "$stub"
fi
echo "$stub/terraformrc"
