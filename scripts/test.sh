#!/bin/bash
# Everything that is tested, in phases; stops at the first phase that fails. Without
# arguments all but tidy, the longest and most important one last.
#
# usage: scripts/test.sh [--quick | PHASE...]
#   dev     all tests but the slow ones
#   asan    the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan    what has threads under ThreadSanitizer
#   clang   everything with clang, the fuzz targets over their corpora, headers alone
#   tidy    clang-tidy over everything; minutes, and not part of the run without arguments
#   --quick unit tests only
set -euo pipefail
cd "$(dirname "$0")/.."

begin=$SECONDS
jobs=$(nproc)
# Tests with brokers and processes wait more than they work.
tests_at_once=$((2 * jobs))

elapsed() { printf '%d:%02d' $(((SECONDS - begin) / 60)) $(((SECONDS - begin) % 60)); }
say() { printf '\n== %s  (%s)\n' "$*" "$(elapsed)"; }

# configure_and_build PRESET [TARGET...]; says how far it is, and all of what goes wrong.
configure_and_build() {
  local preset=$1 log
  shift
  say "$preset: building"
  log=$(mktemp)
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  NINJA_STATUS='[%f/%t] ' ninja -C "build/$preset" -j "$jobs" "$@" | awk '
    !/^\[[0-9]+\/[0-9]+\] / { print; fflush(); next }
    { split($1, n, /[][\/]/); if (n[2] % 40 == 0 || n[2] == n[3]) { print; fflush() } }'
}

# run_tests PRESET CTEST_ARGUMENT...
run_tests() {
  local preset=$1
  shift
  say "$preset: testing"
  ctest --test-dir "build/$preset" -j "$tests_at_once" --no-tests=error --output-on-failure "$@" </dev/null
}

phase_dev() {
  configure_and_build dev
  run_tests dev -LE slow
}

phase_asan() {
  export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  configure_and_build asan
  run_tests asan -LE slow
}

# Two threads on one mapping: the rings; the threads of the MQTT client; the loop.
phase_tsan() {
  export TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tests/support/tsan.supp"
  configure_and_build tsan \
    daemon_{posix,journal,mqtt,ingest,uplink}_test process_mqtt_test
  run_tests tsan -R '^(daemon/(posix|journal|mqtt|ingest|uplink)|process/mqtt):'
}

phase_clang() {
  configure_and_build fuzz
  run_tests fuzz -R '^(fuzz:|repository:headers_alone)'
}

phase_tidy() {
  say "fuzz: configuring, for its list of files"
  cmake --preset fuzz >/dev/null
  say "tidy: checking"
  run-clang-tidy-14 -quiet -j "$jobs" -p build/fuzz "$PWD/(pipelines|config|daemon)/.*\.cc$"
}

phase_quick() {
  configure_and_build dev
  run_tests dev -L '^unit$'
}

case "${1:-}" in
  --quick) phases=(quick) ;;
  '') phases=(tsan clang asan dev) ;;
  *) phases=("$@") ;;
esac
for phase in "${phases[@]}"; do
  if ! declare -F "phase_$phase" >/dev/null; then
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
  fi
done

say "packages"
scripts/deps.sh
for phase in "${phases[@]}"; do
  "phase_$phase"
done
