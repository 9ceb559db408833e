#!/bin/sh
# Installs the Debian 12 packages that runnel needs and this machine lacks; nothing else.
# Quick and silent when nothing is missing.
#
# usage: scripts/deps.sh [--demo | --container]
#   without a word   everything: building, the demo, all tests
#   --demo           building and the demo
#   --container      everything, and what packaging/try-in-container.sh needs
set -eu

build="g++ cmake ninja-build libpaho-mqttpp-dev libpaho-mqtt-dev libyaml-cpp-dev libasio-dev
       libssl-dev libgtest-dev libgmock-dev libsimdjson-dev libre2-dev zlib1g-dev libzstd-dev"
demo="mosquitto python3 python3-paho-mqtt"
tests="ccache clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 mosquitto-clients openssl procps systemd git
       ca-certificates python3-jsonschema python3-yaml tzdata zstd"
container="debootstrap systemd-container util-linux"

case "${1:-}" in
  '') wanted="$build $demo $tests" ;;
  --demo) wanted="$build $demo" ;;
  --container) wanted="$build $demo $tests $container" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

missing_of() {
  for package in $1; do
    case "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null)" in
      ii*) ;;
      *) printf ' %s' "$package" ;;
    esac
  done
}

if ! command -v apt-get >/dev/null 2>&1; then
  echo "error: this is no Debian: \`apt-get\` is missing" >&2
  echo "  hint: install what Debian 12 calls: $(echo $wanted)" >&2
  exit 1
fi
missing=$(missing_of "$wanted")
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "error: packages are missing and there is no \`sudo\`" >&2
    echo "  hint: as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root="sudo"
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
cleanup() {
  [ "$policy_is_ours" = no ] || $as_root rm -f "$policy"
  rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Output only when it fails: a person wants to see what is being done, not how.
quietly() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "error: \`$*\` failed" >&2
    exit 1
  fi
}

# The package starts a broker on port 1883, now and at each boot. The demo and the tests
# start brokers of their own, so that is left to whoever wants it.
new_broker=no
case "$missing " in *" mosquitto "*) new_broker=yes ;; esac
if [ "$new_broker" = yes ] && [ ! -e "$policy" ]; then
  policy_is_ours=yes
  printf '#!/bin/sh\n[ "$1" = mosquitto ] && exit 101\nexit 0\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi

echo "installing$missing"
quietly apt-get update
quietly apt-get install -y --no-install-recommends $missing

if [ "$new_broker" = yes ]; then
  if command -v systemctl >/dev/null 2>&1; then
    $as_root systemctl disable mosquitto >/dev/null 2>&1 || true
    [ ! -d /run/systemd/system ] || $as_root systemctl stop mosquitto >/dev/null 2>&1 || true
  elif command -v update-rc.d >/dev/null 2>&1; then
    $as_root update-rc.d mosquitto disable >/dev/null 2>&1 || true
  fi
  echo "mosquitto is installed and not started: \`systemctl enable --now mosquitto\` does that"
fi
