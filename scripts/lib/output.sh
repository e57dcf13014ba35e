# What the scripts print, and how they wait: numbered steps, errors with a next step, conditions with a deadline.
# shellcheck shell=bash

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
steps_done=0
steps_total=0

# step TEXT: the next of steps_total steps begins.
step() {
  steps_done=$((steps_done + 1))
  printf '%s[%d/%d]%s %s\n' "$bold" "$steps_done" "$steps_total" "$plain" "$*"
}

say() { printf '      %s\n' "$*"; }

# fail TEXT…: prints one line per argument and ends the script.
fail() {
  local line
  for line in "$@"; do printf '%s: %s\n' "${0##*/}" "$line" >&2; done
  exit 1
}

# usage: prints the comment block at the top of the calling script.
usage() { awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"; }

# wait_for SECONDS COMMAND…: runs COMMAND about 20 times a second until it succeeds; false after SECONDS.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.05
  done
}
