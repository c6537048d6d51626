#!/usr/bin/env bash
# Lint what deploys: image, scripts, workflows, manifests and Terraform. `make check-deployment` installs the tools.
# usage: scripts/check-deployment.sh FOLDER_OF_TOOLS
# A tool from elsewhere that cannot be had is named in a line and left out; in CI that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly ACTIONLINT=1.7.12 COMPOSE_GO=2.16.2
export PATH=$PWD/${1:?usage: $0 FOLDER_OF_TOOLS}:$PATH
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/download-lambda
status=0

check() {
    echo "+ $*"
    "$@" || status=1
}

left_out() {
    echo "$1 is left out: $2" >&2
    [[ -z ${CI:-} ]] || status=1
}

# built NAME VERSION PACKAGE: the path of a Go program, built once; its name has the version.
built() {
    local program=$cache/$1-$2 folder
    if [[ ! -x $program ]]; then
        command -v go > /dev/null || return 1
        mkdir -p "$cache"
        folder=$(mktemp -d "$cache/.build.XXXXXX")
        GOBIN=$folder go install "$3@v$2" >&2 || { rm -rf "$folder"; return 1; }
        # Renamed when whole, so that no other run finds half of it.
        mv "$folder/$(basename "$3")" "$program"
        rmdir "$folder"
    fi
    echo "$program"
}

# validate FOLDER: its names, types and references, by Terraform itself with a stub of the provider. In a copy, for
# fetching its modules leaves files.
# shellcheck disable=SC2329 # check calls it
validate() (
    export TF_CLI_CONFIG_FILE=$rc
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -R deploy "$copy"
    cd "$copy/$1"
    rm -rf .terraform .terraform.lock.hcl
    { terraform get && terraform validate -no-color; } > "$copy/said" 2>&1 || { cat "$copy/said"; exit 1; }
)

check hadolint Dockerfile
check shellcheck scripts/*.sh .ci/run
check zizmor --offline --quiet .
if actionlint=$(built actionlint "$ACTIONLINT" github.com/rhysd/actionlint/cmd/actionlint); then
    check "$actionlint"
else
    left_out "actionlint $ACTIONLINT" "go cannot install it here"
fi
if compose=$(built compose-go "$COMPOSE_GO" github.com/compose-spec/compose-go/v2/cmd); then
    check "$compose" deploy/compose.yaml > /dev/null
else
    left_out "compose-go $COMPOSE_GO" "go cannot install it here"
fi
check kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml
check checkov --compact --quiet --skip-download --framework dockerfile --file Dockerfile
check checkov --compact --quiet --skip-download --framework kubernetes --directory deploy/kubernetes
check checkov --compact --quiet --skip-download --framework terraform --directory deploy/terraform
if command -v terraform > /dev/null; then
    check env -u TF_CLI_CONFIG_FILE terraform fmt -check -diff -recursive deploy/terraform
    if rc=$(scripts/terraform-stub.sh); then
        for folder in deploy/terraform/{modules,examples}/*; do
            check validate "$folder"
        done
    elif [[ $? != 3 || -n ${CI:-} ]]; then
        status=1
    fi
else
    left_out terraform "it is not installed"
fi
exit "$status"
