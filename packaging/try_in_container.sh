#!/bin/bash
# Boots a real systemd in a container and tries the service in it: installed with
# `cmake --install`, started, killed with SIGKILL and restarted by systemd, stopped and
# started in the middle of a window. Needs root; takes about two minutes.
#
# usage: packaging/try_in_container.sh BUILD_FOLDER [FOLDER]
#   FOLDER  where the container's system is kept for the next time
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -lt 1 ] || [ ! -x "$1/daemon/runnel" ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$(cd "$1" && pwd)
if [ "$(id -u)" -ne 0 ]; then
  echo "error: a container can only be booted by root" >&2
  exit 2
fi
"$root/scripts/deps.sh" --container

base=${2:-/var/tmp/runnel-container}
trial=$(mktemp -d "${TMPDIR:-/var/tmp}/runnel-trial-XXXXXX")
nspawn=""
cleanup() {
  if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
    kill -KILL "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
  fi
  rm -rf "$trial"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '== %s\n' "$*"; }

# A name for the mirror that apt uses here; a container has the same packages.
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' \
         /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1 || true)
if [ ! -e "$base/usr/bin/mosquitto_sub" ]; then
  say "making a Debian 12 with systemd in $base"
  rm -rf "$base"
  debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,mosquitto,mosquitto-clients,libpaho-mqttpp3-1,libpaho-mqtt1.3,python3,python3-paho-mqtt \
    bookworm "$base" "${mirror:-http://deb.debian.org/debian}" >"$trial/debootstrap.log" 2>&1 ||
    { tail -n 20 "$trial/debootstrap.log" >&2; exit 1; }
fi

say "installing runnel into a copy of it"
cp -a --reflink=auto "$base" "$trial/system"
system=$trial/system
DESTDIR=$system cmake --install "$build" >/dev/null
cp "$root/packaging/container_trial.py" "$root/packaging/container_pipeline.yaml" "$system/root/"
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
install -m 644 "$root/packaging/container_pipeline.yaml" "$system/etc/runnel/pipelines/trial.yaml"
rm -f "$system/root/container_pipeline.yaml"
# The broker on its usual port: the loopback of the container is its own.
systemctl --root="$system" enable mosquitto >/dev/null 2>&1

say "booting"
# A network of its own, so that port 1883 of the host stays free.
systemd-nspawn -q -D "$system" --private-network --register=no --keep-unit -b \
  >"$trial/console.log" 2>&1 </dev/null &
nspawn=$!
leader=""
for _ in $(seq 600); do
  leader=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null | tr -d ' ' || true)
  [ -n "$leader" ] && nsenter -t "$leader" -a systemctl is-system-running --wait >/dev/null 2>&1 && break
  kill -0 "$nspawn" 2>/dev/null || { cat "$trial/console.log" >&2; exit 1; }
  [ -n "$leader" ] && nsenter -t "$leader" -a systemctl is-system-running 2>/dev/null |
    grep -qE 'running|degraded' && break
  sleep 0.1
done
inside() { nsenter -t "$leader" -a env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# As it is for a person: the user and the folders are made, then the service is started.
inside systemd-sysusers
inside systemd-tmpfiles --create
code=0
inside python3 /root/container_trial.py "$prefix/bin/runnel" || code=$?
if [ "$code" -ne 0 ]; then
  say "the journal of the service"
  inside journalctl -u runnel --no-pager -n 60 || true
fi
inside systemctl poweroff >/dev/null 2>&1 || true
for _ in $(seq 200); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
exit "$code"
