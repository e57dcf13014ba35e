# The one list of Debian packages (12 and 13), for the scripts and for sandbox/Dockerfile.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the arrays are read by whoever sources this file

# Compiling the daemon and its tests.
packages_build=(
  g++ cmake ninja-build ccache mold pkg-config
  libx11-dev libxext-dev libxtst-dev libxdamage-dev libxfixes-dev libxrandr-dev libsystemd-dev
  libasio-dev nlohmann-json3-dev libsimdjson-dev libcurl4-openssl-dev libssl-dev
  libpng-dev libjpeg-dev libisal-dev libyuv-dev
  libsqlite3-dev libsqlitecpp-dev libarchive-dev
  libzmq3-dev cppzmq-dev
  libcli11-dev libspdlog-dev libfmt-dev catch2
)

# Bundling the page.
packages_page=(nodejs npm)

# The X server and the desktop, natively and in the image. Xfce is a third of what Chromium needs anyway, and one
# desktop for both means that what a model learns in one place holds in the other.
packages_desktop=(
  tigervnc-standalone-server xauth dbus-daemon dbus-bin at-spi2-core
  xfwm4 xfce4-panel xfdesktop4 xfce4-settings xfce4-terminal thunar mousepad
  chromium xdg-utils shared-mime-info desktop-file-utils elementary-xfce-icon-theme
  fonts-dejavu-core fonts-droid-fallback fonts-noto-color-emoji
)

# A TCP port for VNC clients, wanted only when VNC_PASSWORD is set.
packages_vnc=(tigervnc-scraping-server tigervnc-tools)

# Running the daemon; the scripts' own tools.
packages_run=(curl ca-certificates procps util-linux)

# The kernels of the tool run_code, natively, in the image and in tests; esbuild takes the types out of TypeScript.
packages_kernels=(python3 python3-ipykernel python3-matplotlib python3-pandas nodejs esbuild)

# Running the tests, on top of packages_build, packages_page, packages_run and packages_kernels.
packages_test=(
  tigervnc-standalone-server xauth openbox xfwm4 at-spi2-core dbus-daemon dbus-bin xterm mousepad x11-utils x11-xkb-utils
  chromium procps util-linux
  python3 shellcheck
  jupyter-server  # in JupyterLab's place, which Debian 12 does not have
)

# Fuzzing, on top of packages_build.
packages_fuzz=(clang-19 libclang-rt-19-dev)

# What only the image has: the tools that a model reaches for.
packages_image=(
  supervisor tini
  git openssh-client less nano file unzip zip xz-utils jq ripgrep bash-completion
  python3-venv python3-pip
  fonts-noto-core
)

package_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# missing_packages NAME…: prints those that are not installed. Node.js and npm count when they are on the PATH, as
# many people have them from elsewhere, and the distribution's would replace theirs.
missing_packages() {
  local name
  local -A installed=()
  while read -r name; do installed[$name]=1; done < <(
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
  )
  for name in "$@"; do
    [[ -n ${installed[$name]:-} ]] && continue
    case $name in
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
    esac
    printf '%s\n' "$name"
  done
}

# install_packages NAME…: installs what is missing, with sudo unless root; makes no apt call when nothing is.
install_packages() {
  local missing=() as_root=() log
  mapfile -t missing < <(missing_packages "$@" | sort -u)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    fail "this needs the packages ${missing[*]}, and apt-get is not here: use Debian 12 or 13, or the image"
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "missing packages, and neither root nor sudo: have somebody run" "  apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages and what they need"
  log=$(mktemp)
  if ! "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=120 update -q >"$log" 2>&1 ||
    ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 "${missing[@]}" 2>&1 </dev/null |
    tee -a "$log" | install_progress; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install the packages; all it said is in $log"
  fi
  rm -f "$log"
}

# Turns apt's status lines into one line per tenth.
install_progress() {
  awk -F: '
    $1 == "dlstatus" && int($3 / 25) > got { got = int($3 / 25); printf "      downloaded %d%%\n", got * 25; fflush() }
    $1 == "pmstatus" && int($3 / 10) > put { put = int($3 / 10); printf "      installed %d%%\n", put * 10; fflush() }
  '
}
