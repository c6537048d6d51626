#!/usr/bin/env bash
# Say the digest of an image in ECR, from its digest or from the commit it was made from.
# usage: scripts/find-image.sh ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME sha256:DIGEST|COMMIT
# With GITHUB_OUTPUT set, `digest=sha256:…` is written there as well.
set -euo pipefail

repository=${1:?usage: $0 REPOSITORY sha256:DIGEST|COMMIT}
wanted=${2:?usage: $0 REPOSITORY sha256:DIGEST|COMMIT}
if [[ $wanted =~ ^sha256:[0-9a-f]{64}$ ]]; then
    id="imageDigest=$wanted"
elif [[ $wanted =~ ^[0-9a-f]{12,40}$ ]]; then
    # The tag that scripts/build-docker.sh gives.
    id="imageTag=${wanted:0:12}"
else
    echo "$wanted is neither a digest nor a commit (12 to 40 hexadecimal digits)" >&2
    exit 2
fi
digest=$(aws ecr describe-images --repository-name "${repository#*/}" --image-ids "$id" \
    --query 'imageDetails[0].imageDigest' --output text) || { echo "$repository has no image $wanted" >&2; exit 1; }
echo "$digest"
[[ -z ${GITHUB_OUTPUT:-} ]] || echo "digest=$digest" >> "$GITHUB_OUTPUT"
