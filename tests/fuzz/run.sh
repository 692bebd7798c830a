#!/usr/bin/env bash
# Runs the fuzzers for long. See --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

help() {
  cat <<'TEXT'
usage: tests/fuzz/run.sh [--seconds N] [--jobs N] [--build DIR] [--no-build] [target...]

Builds the fuzzers (preset `fuzz`) and runs each of them, or the named ones (config, sse, h2_session, ...), an hour by the
clock. What a fuzzer learns is kept in .cache/fuzz/<target>_fuzz and grown further next time; tests/run.sh --all begins
with it, too. At its end a target's corpus is reduced to the inputs that still add something.

  --seconds N    for each target (default: 3600)
  --jobs N       targets at a time (default: one per core)
  --build DIR    where the fuzzers are or will be (default: build/fuzz)
  --no-build     take them as they are
  --help         this text

Ends with a table, findings first, then by what was newly covered. A finding's input stays beside the corpus; the target
alone with it as its argument shows it again. Exit status: 0 without findings, 1 with, 2 for wrong usage.
TEXT
}

seconds=3600 jobs=$(nproc) build=build/fuzz make=true targets=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --seconds) seconds=${2:?--seconds wants a number}; shift ;;
    --jobs) jobs=${2:?--jobs wants a number}; shift ;;
    --build) build=${2:?--build wants a directory}; shift ;;
    --no-build) make=false ;;
    --help | -h) help; exit 0 ;;
    -*) help >&2; exit 2 ;;
    *) targets+=("${1%_fuzz}") ;;
  esac
  shift
done
[[ "$seconds$jobs" =~ ^[0-9]+$ ]] || { help >&2; exit 2; }
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/*_fuzz.cc; do
    name=$(basename "$source" _fuzz.cc)
    targets+=("$name")
  done
fi
for name in "${targets[@]}"; do
  [[ -f tests/fuzz/${name}_fuzz.cc ]] || { echo "there is no tests/fuzz/${name}_fuzz.cc" >&2; exit 2; }
done

if $make; then
  cmake --preset fuzz -B "$build" >/dev/null
  cmake --build "$build" --parallel "$jobs" --target fuzzers
fi

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export root build seconds reports

# fuzz <target>: a line of its report: findings, newly covered, CPU seconds, inputs, inputs a second, peak MiB, features,
# corpus, name. CPU seconds are what counts where the machine has other things to do: --seconds are those of a clock.
fuzz() {
  local name=$1_fuzz
  local corpus=$root/.cache/fuzz/$name seeds=$root/tests/corpus/$1 log=$reports/$name.log status=0 before after
  [[ -d $seeds ]] || seeds=$root/tests/corpus/wire
  mkdir -p "$corpus"
  before=$(find "$corpus" -type f | wc -l)
  local TIMEFORMAT='%U'
  { time "$build/tests/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$corpus/" "$corpus" "$seeds" >"$log" 2>&1 || status=$?; } 2>"$reports/$name.cpu"
  stat() { sed -n "s/^stat::$1: *//p" "$log"; }
  local inputs rate peak features
  inputs=$(stat number_of_executed_units) rate=$(stat average_exec_per_sec) peak=$(stat peak_rss_mb)
  features=$(grep -o 'ft: [0-9]*' "$log" | sed -n '$s/ft: //p')
  if [[ $status -eq 0 ]]; then
    mkdir "$corpus.new"
    if "$build/tests/$name" -merge=1 "$corpus.new" "$corpus" >/dev/null 2>&1; then
      rm -rf "$corpus" && mv "$corpus.new" "$corpus"
    fi
    rm -rf "$corpus.new"
  else
    cp "$log" "$corpus/finding.log"
  fi
  after=$(find "$corpus" -type f | wc -l)
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$((status != 0))" "$((after - before))" "$(cut -d. -f1 "$reports/$name.cpu")" \
    "${inputs:-0}" "${rate:-0}" "${peak:-0}" "${features:-0}" "$after" "$1" >"$reports/$name.row"
  echo "$1 ended with status $status"
}
export -f fuzz

printf '%s\n' "${targets[@]}" | xargs --max-procs="$jobs" --replace bash -c 'fuzz {}'

echo
printf '%-20s %8s %7s %12s %10s %9s %9s %7s\n' target findings CPU-s inputs per-second features corpus peak-MiB
cat "$reports"/*.row | sort -t$'\t' -k1,1nr -k2,2nr |
  while IFS=$'\t' read -r findings _ cpu inputs rate peak features corpus name; do
    printf '%-20s %8s %7s %12s %10s %9s %9s %7s\n' "$name" "$findings" "$cpu" "$inputs" "$rate" "$features" "$corpus" "$peak"
  done
! grep -qs $'^1\t' "$reports"/*.row
