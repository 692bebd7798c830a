#!/usr/bin/env bash
# Builds Understudy with sanitizers and tests it. See --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

help() {
  cat <<'TEXT'
usage: tests/run.sh [--all | --clients] [--jobs N] [--fuzz-seconds N]

Installs what is missing, builds everything once with AddressSanitizer and UndefinedBehaviorSanitizer, and runs
  - the unit and integration tests,
  - the AWS SDKs for Python and JavaScript and the OpenAI and Anthropic SDKs for Python, unmodified, through the proxy
    against the Bedrock simulator,
  - the signer and the credential chain against botocore, case by case,
  - a fleet of proxies with a real Prometheus server.

  --all             also: what --clients runs; slow attacks, a TLS scanner and other proxies' opinion; in a release, what
                    attacks cost in memory and requests in system calls; the tests under ThreadSanitizer, every fuzzer
                    for a while, clang-tidy, clang-format
  --clients         instead of all this: every client of the matrix (tests/clients/CLIENTS.md, which it writes), h2spec
                    and h2load
  --jobs N          how many things to build and test at once (default: one per core)
  --fuzz-seconds N  how long each fuzzer runs with --all (default: 60)
  --help            this text

A unit or integration test that fails is tried once more, since a busy machine may be to blame; what a sanitizer said in
the first try counts all the same. The last line says how much passed and failed. Exit status: 0 when nothing failed,
1 otherwise, 2 for wrong usage.
Nothing leaves this machine, except that packages are fetched when they are missing.
TEXT
}

# number_of <option> <value>: the value, where it is a number above 0.
number_of() {
  [[ ${2:-} =~ ^[1-9][0-9]*$ ]] && echo "$2" && return
  echo "tests/run.sh: $1 wants a number above 0" >&2
  return 2
}

all=false clients=false jobs=$(nproc) fuzz_seconds=60
while [[ $# -gt 0 ]]; do
  case "$1" in
    --all) all=true clients=true ;;
    --clients) clients=true ;;
    --jobs) jobs=$(number_of "$@") || exit 2; shift ;;
    --fuzz-seconds) fuzz_seconds=$(number_of "$@") || exit 2; shift ;;
    --help | -h) help; exit 0 ;;
    *) help >&2; exit 2 ;;
  esac
  shift
done

passed=0 failed=0
started=$SECONDS
mkdir -p .cache
logs=$(mktemp -d .cache/run.XXXXXX)
trap 'rm -rf "$root/$logs"' EXIT

step() { printf '\n== %s  [%d:%02d]\n' "$1" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

# one <what> <command...>: a check that passes or fails as a whole; its output is shown as it comes.
one() {
  local what=$1
  shift
  if "$@"; then
    echo "ok   - $what"
    passed=$((passed + 1))
  else
    echo "FAIL - $what"
    failed=$((failed + 1))
  fi
}

# many <what> <command...>: a command that ends with a line "N passed, M failed". Without one it counts as a failure.
many() {
  local what=$1 log=$logs/output status=0 line
  shift
  "$@" 2>&1 | tee "$log" || status=$?
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 || true)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    [[ $status -eq 0 || ${BASH_REMATCH[2]} -gt 0 ]] && return
  fi
  echo "FAIL - $what ended with status $status"
  failed=$((failed + 1))
}

# build <preset> <targets...>; false when it does not build.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" >"$logs/configure" 2>&1 || { cat "$logs/configure"; return 1; }
  cmake --build "build/$preset" --parallel "$jobs" ${1:+--target "$@"}
}

sanitizer_words='ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: '

# run_ctest <preset> <wrapper...>: counts are read from the report, so that a test that vanished is seen.
run_ctest() {
  local preset=$1 report=$root/$logs/ctest.xml
  shift
  rm -f "$report"
  # A second try tells a machine that is too busy from a fault; the report names what needed one.
  "$@" ctest --test-dir "build/$preset" --parallel "$jobs" --output-on-failure --no-tests=error --repeat until-pass:2 \
    --output-junit "$report" --progress || true
  local tests failures skipped good
  tests=$(junit_number tests "$report") failures=$(junit_number failures "$report")
  skipped=$(($(junit_number skipped "$report") + $(junit_number disabled "$report")))
  good=$((tests - failures - skipped))
  if [[ $tests -eq 0 ]]; then
    echo "the tests could not be run"
    failures=1
  fi
  [[ $skipped -eq 0 ]] || echo "$skipped tests were skipped"
  # A fault that a sanitizer saw in the first try is one, whatever the second came to.
  if grep -sE "$sanitizer_words" "build/$preset/Testing/Temporary/LastTest.log"; then
    echo "a sanitizer complained"
    failures=$((failures + 1))
  fi
  echo "$good passed, $failures failed"
}

# junit_number <attribute> <report>: the number in the report's head, 0 where there is none.
junit_number() {
  local number
  number=$(sed -n "s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" 2>/dev/null | head -n 1)
  echo "${number:-0}"
}

# GCC's ThreadSanitizer does not know the address layouts of newer kernels; without randomisation it does.
without_randomisation() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R "$@"
  else
    "$@"
  fi
}

# The AWS SDK for JavaScript, as package-lock.json pins it; the stamp is written last.
install_javascript_client() {
  local clients=tests/clients
  cmp -s "$clients/package-lock.json" "$clients/node_modules/installed.json" && return
  echo "Setting up Node.js $(node --version) with the AWS SDK"
  npm ci --prefix "$clients" --prefer-offline --no-audit --no-fund --loglevel=error
  cp "$clients/package-lock.json" "$clients/node_modules/installed.json"
}

run_client_matrix() {
  "$python" tests/clients/matrix.py --programs build/asan --jobs "$jobs" --document tests/clients/CLIENTS.md
}

# In the release's directory, which builds no benches before or after.
run_bench_tests() {
  if cmake -D UNDERSTUDY_BENCH=ON build/release >"$logs/configure" && build release bench-peer; then
    run_ctest release
  else
    echo "0 passed, 1 failed"
  fi
  cmake -D UNDERSTUDY_BENCH=OFF build/release >"$logs/configure"
}

run_memory() { "$python" tests/attacks/memory.py --programs build/release; }

run_attacks() { "$python" tests/attacks/attack.py --programs build/asan ${1:+--only "$@"}; }

run_with_real_clients() { "$python" tests/clients/run.py --programs "$1"; }

# run_botocore_table <sigv4|credentials>
run_botocore_table() {
  local tool=build/asan/$1-tool
  if ! [[ -x $tool ]]; then
    echo "0 passed, 1 failed"
    return
  fi
  "$python" "tests/clients/$1_table.py" "$tool"
}

run_fleet() { "$python" tests/fleet/fleet_test.py --programs build/asan; }

run_fuzzers() {
  local fuzzer name count=0 bad=0
  for fuzzer in tests/fuzz/*_fuzz.cc; do
    name=$(basename "$fuzzer" .cc)
    local corpus=.cache/fuzz/$name seeds=tests/corpus/${name%_fuzz}
    mkdir -p "$corpus"
    [[ -d $seeds ]] || seeds=tests/corpus/wire  # recorded bodies and frames
    count=$((count + 1))
    if "build/fuzz/tests/$name" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$corpus/" "$corpus" "$seeds" >"$logs/$name" 2>&1; then
      echo "ok   - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name") inputs"
    else
      tail -n 40 "$logs/$name"
      echo "FAIL - $name; the input that did it is kept in $corpus"
      bad=$((bad + 1))
    fi
  done
  echo "$((count - bad)) passed, $bad failed"
}

# Not what the clients of the matrix bring along below tests/clients: other people's headers.
our_sources() {
  find routing metrics proxy tests bench -path tests/clients -prune -o \( -name '*.cc' -o -name '*.h' \) -print | sort
}

run_clang_format() { our_sources | xargs clang-format-14 --dry-run --Werror; }

run_clang_tidy() { "$python" tests/clang_tidy.py --build build/asan --jobs "$jobs"; }

# In braces, so that bash has read all of it before it begins: a checkout may change this file while it runs.
{
step "Packages"
groups=(build test)
$all && groups+=(extra)
$clients && groups+=(clients)
deploy/install-dependencies.sh "${groups[@]}"
python=$(deploy/python-environment.sh clients)
install_javascript_client
# No detect_stack_use_after_return: its frames do not honour the 64-byte alignment that xxHash asks for.
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

step "Building with AddressSanitizer and UndefinedBehaviorSanitizer"
if $clients && ! $all; then
  one "the programs are built" build asan understudy bedrock-simulator
elif build asan; then
  step "Unit and integration tests"
  many "the tests" run_ctest asan
  step "Real clients through the proxy"
  many "real clients" run_with_real_clients build/asan
  step "Signatures against botocore"
  many "signatures" run_botocore_table sigv4
  step "The credential chain against botocore"
  many "credentials" run_botocore_table credentials
  step "A fleet with a real Prometheus"
  many "the fleet" run_fleet
else
  echo "FAIL - the build"
  failed=$((failed + 1))
fi

if $clients; then
  step "Every client of the matrix"
  many "the client matrix" run_client_matrix
  step "HTTP/2 testers and attack tools"
  if $all; then many "attacks" run_attacks; else many "protocol tests" run_attacks h2spec h2load; fi
fi

if $all; then
  step "Building a release"
  if build release understudy bedrock-simulator; then
    step "What attacks cost in memory"
    many "memory under attack" run_memory
    step "What a request costs in system calls"
    many "the bench's own tests" run_bench_tests
  else
    echo "FAIL - the release build"
    failed=$((failed + 1))
  fi

  step "Building with ThreadSanitizer"
  if build tsan; then
    step "Unit and integration tests under ThreadSanitizer"
    many "the tests under ThreadSanitizer" run_ctest tsan without_randomisation
  else
    echo "FAIL - the build with ThreadSanitizer"
    failed=$((failed + 1))
  fi

  step "Building the fuzzers"
  if build fuzz fuzzers; then
    step "Fuzzing, $fuzz_seconds s each"
    many "fuzzers" run_fuzzers
  else
    echo "FAIL - the build of the fuzzers"
    failed=$((failed + 1))
  fi

  step "clang-format and clang-tidy"
  one "every source is formatted as .clang-format says" run_clang_format
  one "clang-tidy has nothing to say" run_clang_tidy
fi

step "Done"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]] && exit 0 || exit 1
}
