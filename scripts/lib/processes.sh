# The processes that a run starts: recorded with their start times, so that a later run can end what a killed one
# left behind, and nothing else. A pid alone is not enough: pids are used again.
# shellcheck shell=bash

# process_start PID: the kernel's start time of a process, in clock ticks since boot; false when it is gone.
process_start() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086  # the fields after the name: state is 3, starttime is 22
  set -- $stat
  [[ $1 != Z ]] || return 1
  printf '%s\n' "${20}"
}

same_process() { [[ $(process_start "$1") == "$2" ]]; }
all_gone() {
  local entry
  for entry in "$@"; do ! same_process "${entry%:*}" "${entry#*:}" || return 1; done
}

# signal_processes SIGNAL PID:START…: to those that still run.
signal_processes() {
  local signal=$1 entry
  shift
  for entry in "$@"; do
    if same_process "${entry%:*}" "${entry#*:}"; then kill -s "$signal" "${entry%:*}" 2>/dev/null || true; fi
  done
}

# end_processes SECONDS PID:START…: asks with SIGTERM, waits, then kills what is left.
end_processes() {
  local seconds=$1
  shift
  signal_processes TERM "$@"
  wait_for "$seconds" all_gone "$@" && return
  signal_processes KILL "$@"
  wait_for 2 all_gone "$@" || true
}

# record FILE NAME PID: adds a process to the record.
record() {
  local start
  start=$(process_start "$3") || return 0
  printf '%s %s %s %s\n' "$(</proc/sys/kernel/random/boot_id)" "$3" "$start" "$2" >>"$1"
}

# recorded FILE: prints "NAME PID:START" for each recorded process that still runs.
recorded() {
  local boot pid start name now
  [[ -f $1 ]] || return 0
  now=$(</proc/sys/kernel/random/boot_id)
  while read -r boot pid start name; do
    [[ $boot == "$now" && $pid =~ ^[0-9]+$ ]] && same_process "$pid" "$start" && printf '%s %s:%s\n' "$name" "$pid" "$start"
  done <"$1" || true
}

# marked MARK [USER]: prints PID:START of every process with the environment entry MARK, this script excepted. It finds
# what a desktop program left behind after its parents were gone. Root in a container may not read the environment of
# another user's process: USER, when given, is asked as well.
marked() {
  local pid start path search=(grep -lzsxF "$1")
  while read -r path; do
    pid=${path#/proc/} pid=${pid%/environ}
    [[ $pid == "$$" || $pid == "$BASHPID" ]] && continue
    start=$(process_start "$pid") && printf '%s:%s\n' "$pid" "$start"
  done < <(
    {
      "${search[@]}" /proc/[0-9]*/environ
      if [[ -n ${2:-} && $EUID == 0 ]] && id "$2" >/dev/null 2>&1; then
        setpriv --reuid "$2" --regid "$2" --clear-groups "${search[@]}" /proc/[0-9]*/environ
      fi
    } | sort -u || true
  ) || true
}
