# Which X displays are in use, and which are only leftovers of a killed server.
# shellcheck shell=bash

# display_listens N: a server has display N's socket open (file or abstract name). A file alone proves nothing: a
# killed server leaves it.
display_listens() { grep -qE "@?/tmp/\.X11-unix/X$1\$" /proc/net/unix; }

# display_taken N: a server listens, or the lock file names a living X server.
display_taken() {
  local lock=/tmp/.X$1-lock pid
  display_listens "$1" && return
  [[ -f $lock ]] && read -r pid 2>/dev/null <"$lock" && [[ $pid =~ ^[0-9]+$ ]] &&
    grep -qE '^(X|Xorg|Xvnc|Xtigervnc|Xwayland|Xvfb|Xephyr)$' "/proc/$pid/comm" 2>/dev/null
}

# clear_display N: removes the lock and the socket that a killed server left; false when that is not allowed.
clear_display() { rm -f "/tmp/.X$1-lock" "/tmp/.X11-unix/X$1" 2>/dev/null; }

# free_display: prints the first display number that can be used.
free_display() {
  local number
  for number in {1..99}; do
    if ! display_taken "$number" && clear_display "$number"; then
      printf '%s\n' "$number"
      return
    fi
  done
  return 1
}
