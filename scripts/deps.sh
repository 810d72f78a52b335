#!/usr/bin/env bash
# Installs what the tests need beside Go: Chromium for the browser tests,
# PostgreSQL for the store's, curl for the API's examples, a C compiler for the race
# detector, and from npm axe-core, which judges the desk's pages. Does nothing where they
# are there.
set -euo pipefail
need=()
command -v chromium >/dev/null || need+=(chromium)
[ -d /usr/share/fonts/truetype ] || need+=(fonts-dejavu-core) # pages are measured with real letters
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || need+=(postgresql)
command -v curl >/dev/null || need+=(curl ca-certificates)
command -v gcc >/dev/null || need+=(gcc libc6-dev)

axe_version=4.10.3 # cmd/handoff/browser_axe_test.go knows its digest
axe="${XDG_CACHE_HOME:-$HOME/.cache}/handoff/axe-core-$axe_version.js"
[ -f "$axe" ] || command -v npm >/dev/null || need+=(npm)

fetch_axe() {
  [ -f "$axe" ] && return
  echo "fetching axe-core $axe_version from npm"
  local dir; dir=$(mktemp -d)
  (cd "$dir" && npm pack --silent "axe-core@$axe_version" >/dev/null && tar xzf "axe-core-$axe_version.tgz" package/axe.min.js)
  mkdir -p "$(dirname "$axe")"
  mv "$dir/package/axe.min.js" "$axe"
  rm -rf "$dir"
}

[ ${#need[@]} -eq 0 ] && { fetch_axe; exit 0; }
echo "installing from Debian's packages: ${need[*]}"
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${need[@]}" >/dev/null
fetch_axe
