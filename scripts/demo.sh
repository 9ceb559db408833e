#!/bin/bash
# The demo: installs what is missing, builds, and shows the main job on live readings of
# this machine in about 20 seconds: readings in over MQTT, aggregates out, a worker killed
# with SIGKILL half-way, nothing lost. Ends with the ledger; exit code 0 if nothing was lost.
#
# Starts a broker of its own on a free port of the loopback. Needs Debian 12.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

# As many compilers at once as there are cores, and gigabytes for them.
jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemTotal:/ { print int($2 / 1000000) }' /proc/meminfo)
  local most=$((memory < cores ? memory : cores))
  echo $((most > 1 ? most : 1))
}

# Ninja draws one line in place on a terminal; elsewhere every tenth step is enough.
build() {
  export NINJA_STATUS='[%f/%t] '
  local command=(ninja -C build/release -j "$(jobs)" runnel runnel-worker runnel-uplink)
  if [ -t 1 ]; then
    "${command[@]}"
  else
    "${command[@]}" | awk '
      !/^\[[0-9]+\/[0-9]+\] / { print; fflush(); next }
      { split($1, n, /[][\/]/); if (n[2] % 10 == 0 || n[2] == n[3]) { print; fflush() } }'
  fi
}

say "packages: what is missing is installed"
scripts/deps.sh --demo

say "building into build/release (the first time this takes a few minutes)"
configured=$(mktemp)
trap 'rm -f "$configured"' EXIT
if ! cmake --preset release >"$configured" 2>&1; then
  cat "$configured" >&2
  exit 1
fi
build

say "running"
rm -f "$configured"
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 scripts/demo/demo.py build/release/daemon
