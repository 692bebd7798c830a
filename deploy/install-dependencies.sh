#!/usr/bin/env bash
# Installs the Debian 12 packages that are missing, and nothing else. With all in place it touches neither network nor
# package lists. Runs as root, or as a user with sudo; needs no terminal.
#
#   deploy/install-dependencies.sh build          to build and run
#   deploy/install-dependencies.sh build test     and to run the tests with real clients
#   deploy/install-dependencies.sh build test extra   and for fuzzers, linters and benches
#   deploy/install-dependencies.sh build test clients and for the client matrix and the attack tools
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config ca-certificates
  libboost1.81-dev libssl-dev libnghttp2-dev nlohmann-json3-dev libsimdjson-dev libyaml-cpp-dev
  prometheus-cpp-dev libre2-dev libxxhash-dev libcld2-dev zlib1g-dev python3 python3-venv)
test=(openssl libgtest-dev libgmock-dev libbenchmark-dev prometheus)
extra=(clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev llvm-14 nginx-light haproxy strace
  nghttp2-client nghttp2-proxy)
clients=(nghttp2-client slowhttptest sslscan nginx-light haproxy)

wanted=()
for group in "$@"; do
  case "$group" in
    build) wanted+=("${build[@]}") ;;
    test)
      wanted+=("${test[@]}")
      # Any Node.js with npm will do, from Debian or elsewhere.
      command -v node >/dev/null || wanted+=(nodejs)
      command -v npm >/dev/null || wanted+=(npm)
      ;;
    extra)
      command -v nginx >/dev/null && extra=("${extra[@]/nginx-light/}")
      wanted+=("${extra[@]}")
      ;;
    clients)
      command -v nginx >/dev/null && clients=("${clients[@]/nginx-light/}")
      wanted+=("${clients[@]}")
      # Toolchains of any origin.
      command -v go >/dev/null || wanted+=(golang-go)
      command -v cargo >/dev/null || wanted+=(cargo)
      command -v javac >/dev/null || wanted+=(default-jdk-headless)
      command -v mvn >/dev/null || wanted+=(maven)
      ;;
    *) echo "usage: $0 build|test|extra|clients ..." >&2; exit 2 ;;
  esac
done

command -v dpkg-query >/dev/null || { echo "This needs Debian 12 or its like; elsewhere install: ${wanted[*]}" >&2; exit 1; }
installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -q '^installed$'; }

missing=()
for package in "${wanted[@]}"; do
  [[ -z "$package" ]] || installed "$package" || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "These packages are missing and need root to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)

echo "Installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A package list that is there may be old and name files that the mirror no longer has: then look again and retry once.
install() {
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null 2>&1 | tee "$log" |
    awk '/^(Unpacking|Setting up) / { if (++steps % 100 == 0) { print "  " steps " steps done"; fflush() } }'
}
if ! install; then
  "${apt[@]}" update </dev/null >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  install || { cat "$log" >&2; exit 1; }
fi
