#!/usr/bin/env bash
# Build the image, tag it `latest`, with the version and with the commit, and say how to run it.
# usage: scripts/build-docker.sh [REPOSITORY]      PLATFORM=linux/arm64 for Graviton; PUSH=1 pushes
#   CACHE=REPOSITORY:TAG takes the layers of earlier builds from there, and leaves its own.
# With GITHUB_OUTPUT set, as on GitHub's runners, `digest=sha256:…` of what was pushed is written there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

docker buildx version > /dev/null 2>&1 || { echo "docker with its buildx plugin is needed." >&2; exit 2; }

repository=${1:-download-lambda}
platform=${PLATFORM:-linux/amd64}
[[ $platform =~ ^linux/(amd64|arm64)$ ]] || { echo "PLATFORM is linux/amd64 or linux/arm64, not $platform." >&2; exit 2; }
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' application/__init__.py)
commit=$(git rev-parse HEAD)
revision=$commit
tag=${commit:0:12}
# What .dockerignore lets in. Other files, such as terraform init's, are not in the image.
changes=$(sed -n 's/^!//p' .dockerignore | xargs git status --porcelain -- Dockerfile .dockerignore)
if [[ -n $changes ]]; then
    [[ -z ${PUSH:-} ]] || { echo "Commit first: what is pushed must be what the commit says." >&2; exit 2; }
    revision+=-modified tag+=-modified
fi

metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
options=(--tag "$repository:$tag")
# Where tags cannot change there is one image a commit, so only the commit's tag is pushed.
if [[ -n ${PUSH:-} ]]; then options+=(--push); else options+=(--tag "$repository:$version" --tag "$repository:latest" --load); fi
if [[ -n ${CACHE:-} ]]; then
    # The engine's own builder cannot export layers to a registry.
    docker buildx inspect download-lambda > /dev/null 2>&1 \
        || docker buildx create --name download-lambda --driver docker-container > /dev/null
    # As a plain manifest, for ECR takes no other; a cache that cannot be written is no reason to fail.
    options+=(--builder download-lambda --cache-from "type=registry,ref=$CACHE")
    options+=(--cache-to "type=registry,ref=$CACHE,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true")
fi
# One image, no index with attestations beside it: Lambda takes no other.
docker buildx build --platform "$platform" --provenance=false --sbom=false \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --metadata-file "$metadata" "${options[@]}" .

if [[ -n ${PUSH:-} ]]; then
    digest=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' "$metadata")
    [[ -n $digest ]] || { echo "The build told no digest." >&2; exit 1; }
    echo "Pushed $repository@$digest ($tag)"
    [[ -z ${GITHUB_OUTPUT:-} ]] || echo "digest=$digest" >> "$GITHUB_OUTPUT"
    exit 0
fi
docker image ls "$repository:$tag"
cat <<END
Run it over a folder that has dataset/NAME.parquet:
  docker run --rm --read-only --tmpfs /tmp:size=4g --publish 8000:8000 \\
    --volume "\$PWD/data:/data:ro" --env DATASET_BUCKET=/data $repository:latest
or over a bucket, with the keys of your shell:
  docker run --rm --read-only --tmpfs /tmp:size=4g --publish 8000:8000 --env DATASET_BUCKET=my-bucket \\
    --env AWS_REGION --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY --env AWS_SESSION_TOKEN $repository:latest
then: curl http://localhost:8000/health
END
