# Which TCP ports are taken, read from the kernel's tables: nothing needs to be installed for it.
# shellcheck shell=bash

# port_taken PORT: something listens on it at the loopback or at every address.
port_taken() {
  awk -v port="$(printf '%04X' "$1")" '
    BEGIN {
      zeros = "00000000"
      split("0100007F " zeros " " zeros zeros zeros zeros " " zeros zeros zeros "01000000 " \
            zeros zeros "FFFF00000100007F", addresses, " ")
      for (i in addresses) taken[addresses[i] ":" port] = 1
    }
    $4 == "0A" && ($2 in taken) { found = 1; exit }
    END { exit !found }
  ' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# port_owner PORT: prints " by NAME (pid N)" where it can be told.
port_owner() {
  local owner
  command -v ss >/dev/null || return 0
  owner=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -nE 's/.*\(\("([^"]*)",pid=([0-9]+).*/ by \1 (pid \2)/p' | head -n 1)
  printf '%s' "$owner"
}

# free_port FROM: prints the first free port from there.
free_port() {
  local port
  for ((port = $1; port < 65536; port++)); do
    port_taken "$port" || { printf '%s\n' "$port"; return; }
  done
}
