#!/usr/bin/env bash
# From a bare Debian 12 to a proxy at work, in one command. See --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

for word in "$@"; do
  if [[ $word == --help || $word == -h ]]; then
    cat <<'TEXT'
usage: deploy/quickstart.sh [--requests N] [--keep]
       deploy/quickstart.sh --aws --region R --primary MODEL --candidate MODEL [--requests N] [--keep]

Shows Understudy at work. It installs the packages that are missing, builds a release in build/release, starts a
simulator of Amazon Bedrock and the proxy on loopback, and sends some hundred requests through the proxy with the AWS
SDK for Python, of which nothing but endpoint_url is changed: Converse, ConverseStream, InvokeModel, its stream and
CountTokens; prose, JSON and tools. Every request is answered by the primary model; the proxy asks the candidate the
same in the background. Then it prints what the proxy learnt, and where to look for more.

  --requests N     how many requests to send (default: 300; with --aws: 40)
  --keep           leave simulator and proxy running afterwards
  --aws            ask the real Amazon Bedrock, with the AWS credentials that this user's tools find (environment,
                   profiles). Every request is asked of both models and is billed.
  --region R       the AWS region of both models, e.g. us-east-1
  --primary M      the model id or inference profile that answers, e.g. us.anthropic.claude-sonnet-4-5-20250929-v1:0
  --candidate M    the model id or inference profile on trial
  --help           this text

The config that it runs with is deploy/quickstart.yaml; logs and comparisons are in .cache/quickstart/PORT, the port
being the one that it prints: 8080, or another one where that is taken.
TEXT
    exit 0
  fi
done

printf 'Packages ...\n'
deploy/install-dependencies.sh build
python=$(deploy/python-environment.sh)

# Wrong options are told before the long build.
"$python" deploy/quickstart.py --check-options "$@"

printf 'Building a release (some minutes the first time, seconds afterwards) ...\n'
cmake --preset release >/dev/null
cmake --build build/release --target understudy bedrock-simulator

exec "$python" deploy/quickstart.py --programs build/release "$@"
