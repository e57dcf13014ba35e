# Which compose there is: the plugin of the Docker client, or the older program.
# shellcheck shell=bash

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}
