#!/usr/bin/env bash
# Takes the browser's files of /docs, /redoc and the maps from their packages, at these versions: scripts/vendor.sh
# Pages load nothing from another origin, so one picture's address is taken out of Redoc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

into=application/api/assets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A package's files, once its bytes are those that were looked at.
fetch() {
  local package=$1 digest=$2 archive
  archive=$work/$(npm pack --silent --pack-destination "$work" "$package")
  [[ $(openssl dgst -sha512 -binary "$archive" | base64 --wrap=0) == "$digest" ]] || {
    echo "$package is not the package that was vendored" >&2
    return 1
  }
  mkdir -p "$work/${package%%@*}"
  tar --extract --gzip --file "$archive" --directory "$work/${package%%@*}"
}

fetch swagger-ui-dist@5.35.0 U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
fetch redoc@2.5.4 M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ==
fetch maplibre-gl@6.17.0 2chIZwpLGenoUQOcnm9Pk4SLbA8ppNFq8jlpXiq9vcYm3Y1wJ3fc82FL0GLwBaPYJCLzPv/mC46KEupVov75rQ==

mkdir -p "$into"
swagger=$work/swagger-ui-dist/package redoc=$work/redoc/package
cp "$swagger/swagger-ui-bundle.js" "$swagger/swagger-ui.css" "$into/"
cat "$swagger/LICENSE" "$swagger/NOTICE" "$swagger/swagger-ui-bundle.js.LICENSE.txt" > "$into/swagger-ui.LICENSE.txt"
sed 's|https://cdn\.redoc\.ly/redoc/logo-mini\.svg|data:,|' "$redoc/bundles/redoc.standalone.js" \
  > "$into/redoc.standalone.js"
cat "$redoc/LICENSE" "$redoc/bundles/redoc.standalone.js.LICENSE.txt" > "$into/redoc.LICENSE.txt"
# Its stylesheet has pictures of its own, which the pages' policy does not let in; map.css has what is needed.
maplibre=$work/maplibre-gl/package pages=application/pages/assets
cp "$maplibre/dist/maplibre-gl.mjs" "$maplibre/dist/maplibre-gl-worker.mjs" "$pages/"
cp "$maplibre/LICENSE.txt" "$pages/maplibre-gl.LICENSE.txt"
# No maps come along, so nothing need look for them.
sed -i '/^\/\/# sourceMappingURL=/d; /^\/\*# sourceMappingURL=/d' "$into"/*.js "$into"/*.css "$pages"/*.mjs
