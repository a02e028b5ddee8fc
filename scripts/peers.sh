#!/usr/bin/env bash
# The programs from Debian's packages that tests use as real clients and servers: installs those that are missing, if that can be
# done here. It never fails: a test whose program is missing is skipped, and says so.
set -uo pipefail

# A program of each, and the package that brings it. PostgreSQL's server is used where it is installed already.
declare -A packages=(
  [curl]=curl [wrk]=wrk [redis-server]=redis-server [redis-cli]=redis-tools [redis-benchmark]=redis-tools
  [nghttp]=nghttp2-client [h2load]=nghttp2-client
)
missing=()
for program in "${!packages[@]}"; do
  command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "peers: not installed, so tests with them are skipped: ${missing[*]}" >&2
  exit 0
fi

# No service is started: its tests start their own, and end them. What says so to dpkg is taken away again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
if ! { "${install[@]}" || { apt-get update -qq && "${install[@]}"; }; } >/dev/null 2>&1; then
  echo "peers: could not be installed, so tests with them are skipped: ${missing[*]}" >&2
fi
exit 0
