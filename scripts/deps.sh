#!/usr/bin/env bash
# Installs what the tests need beside Go: Chromium for the browser tests,
# PostgreSQL for the store's, curl for the API's examples, a C compiler for the race detector. Does nothing where they are there.
set -euo pipefail
need=()
command -v chromium >/dev/null || need+=(chromium)
[ -d /usr/share/fonts/truetype ] || need+=(fonts-dejavu-core) # pages are measured with real letters
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || need+=(postgresql)
command -v curl >/dev/null || need+=(curl ca-certificates)
command -v gcc >/dev/null || need+=(gcc libc6-dev)
[ ${#need[@]} -eq 0 ] && exit 0
echo "installing from Debian's packages: ${need[*]}"
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${need[@]}" >/dev/null
