#!/usr/bin/env bash
# plan.sh ENVIRONMENT BASE FILE: what HEAD changes since it left BASE, as Markdown in FILE and in the job's summary. Fails when the specs have errors.
set -euo pipefail
environment="$1" base="$2" file="$3" said="$(mktemp)"
export PATH="$PWD/.venv/bin:$PATH"

code=0
fleet plan --env "$environment" --against "$(git merge-base "$base" HEAD)" -o markdown >"$file" 2>"$said" || code=$?
if [ ! -s "$file" ]; then
  {
    echo "<!-- fleetwright plan $environment -->"
    echo "### No plan for \`$environment\`"
    echo
    echo '```text'
    sed 's/```/ʼʼʼ/g' "$said" | head -c 20000
    echo '```'
  } >"$file"
fi
cat "$said" >&2
cat "$file" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
exit "$code"
