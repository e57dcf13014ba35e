# The settings: the environment first, then .env, then the defaults.
# shellcheck shell=bash

# load_env_file FILE: takes the documented keys of FILE that the environment does not have yet.
load_env_file() {
  local file=$1 line key value number=0
  [[ -f $file ]] || return 0
  [[ -r $file ]] || fail "$file cannot be read: make it readable for $(id -un), or move it away"
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%$'\r'}
    [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
    if ! [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]]; then
      fail "$file line $number is not KEY=value"
    fi
    key=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
    case $value in
      \"*\") value=${value:1:-1} ;;
      \'*\') value=${value:1:-1} ;;
      *)
        value=${value%%[[:space:]]#*}
        value=${value%"${value##*[![:space:]]}"}
        ;;
    esac
    case $key in
      LLM_* | SELFAGENT_* | VNC_PASSWORD | SCREEN_WIDTH | SCREEN_HEIGHT) ;;
      *)
        say "$file line $number: $key is not a setting of selfagent (see .env.example); ignored"
        continue
        ;;
    esac
    [[ -v $key || -z $value ]] || export "$key=$value"
  done <"$file"
}
