#!/usr/bin/env bash
# Makes .cache/venv with the AWS SDK for Python, pinned, unless it is there already; prints the path of its interpreter.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.cache/venv
requirements=$root/deploy/requirements.txt

# The stamp is written last: an interrupted set-up is begun afresh.
if ! cmp -s "$requirements" "$venv/installed.txt" || ! "$venv/bin/python" -c '' 2>/dev/null; then
  echo "Setting up Python with $(grep -o '^boto3.*' "$requirements")" >&2
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --requirement "$requirements" >&2
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv/bin/python"
