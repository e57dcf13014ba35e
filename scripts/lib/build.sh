# Building the daemon (CMake presets) and the page (npm), quickly when nothing changed. Runs in the repository.
# shellcheck shell=bash

# configure PRESET: makes build/PRESET ready for ninja; does nothing when it is.
configure() {
  local preset=$1 cache=build/$1/CMakeCache.txt log=build/configure-$1.log
  mkdir -p build
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache"; then
    rm -rf "build/$preset"  # the checkout was moved: CMake refuses its old cache
  fi
  [[ -f build/$preset/build.ninja && ! CMakePresets.json -nt $cache ]] && return
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "cmake could not configure the preset $preset; all it said is in $log"
  fi
  touch "$cache"
}

# build_daemon PRESET [TARGET…]: everything, or the given targets.
build_daemon() {
  local preset=$1
  shift
  configure "$preset"
  NINJA_STATUS='      [%f/%t, %es] ' cmake --build --preset "$preset" ${1:+--target "$@"} ||
    fail "the daemon (preset $preset) did not build; the compiler's message is above"
}

# npm_packages FOLDER: its npm packages, exactly as its lock file names them.
npm_packages() {
  local stamp=$1/node_modules/.package-lock.json
  [[ -f $stamp && ! $1/package-lock.json -nt $stamp ]] && return
  say "getting the npm packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) ||
    fail "npm ci failed in $1; its message is above. It needs the npm registry: a mirror is set with npm config"
  touch "$stamp"
}

# build_page: bundles web/ into web/dist when a source is newer than the bundle.
build_page() {
  local output=web/dist/index.html
  if [[ -f $output && -z $(find web -path web/node_modules -prune -o -path web/dist -prune -o \
    -newer "$output" -type f -print -quit) ]]; then
    say "nothing changed"
    return
  fi
  npm_packages web
  (cd web && npm run --silent build) || fail "the page did not build; the message is above"
  [[ -f $output ]] || fail "npm run build left no $output"
  touch "$output"
}
