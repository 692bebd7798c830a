#!/usr/bin/env bash
# Makes a Python environment of pinned packages under .cache, unless it is there already; prints the path of its
# interpreter.
#
#   deploy/python-environment.sh           the AWS SDK, for the quick start
#   deploy/python-environment.sh clients   all SDKs that the tests try
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case "${1:-}" in
  "") venv=$root/.cache/venv requirements=$root/deploy/requirements.txt ;;
  clients) venv=$root/.cache/clients-venv requirements=$root/tests/clients/requirements.txt ;;
  *) echo "usage: $0 [clients]" >&2; exit 2 ;;
esac

# The stamp is written last: an interrupted set-up is begun afresh.
if ! cmp -s "$requirements" "$venv/installed.txt" || ! "$venv/bin/python" -c '' 2>/dev/null; then
  echo "Setting up Python with $(grep -Eo '^(boto3|openai|anthropic)==.*' "$requirements" | xargs)" >&2
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --requirement "$requirements" >&2
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv/bin/python"
