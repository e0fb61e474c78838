#!/bin/sh
# What a container of this image runs.
#
#   (nothing)      agent -dev -client 0.0.0.0
#   agent …        an agent with its data in /consul/data and configuration from /consul/config
#   -server …      the same, reachable on every address of the container
#   members …      any other command of consul
#   other words    a command of its own
#
#   CONSUL_LOCAL_CONFIG            configuration as text
#   CONSUL_BIND_INTERFACE          bind to the address of this interface
#   CONSUL_CLIENT_INTERFACE        serve HTTP and DNS on the address of this interface
#   CONSUL_DATA_DIR, CONSUL_CONFIG_DIR   instead of /consul/data and /consul/config
#   CONSUL_ALLOW_PRIVILEGED_PORTS  if set, even to nothing: ports below 1024 may be used (-dns-port=53)
#   CONSUL_DISABLE_PERM_MGMT       if set: change no owners and stay who we are
#
# Only a shell, id, chown and setpriv are needed.
set -e

data=${CONSUL_DATA_DIR:-/consul/data}
config=${CONSUL_CONFIG_DIR:-/consul/config}

# on_interface NAME OPTION: the agent works out the address itself.
on_interface() {
  if [ ! -d "/sys/class/net/$1" ]; then
    echo "Could not find IP for interface '$1', exiting" >&2
    exit 1
  fi
  echo "==> Taking the address of interface '$1', setting $2 option..." >&2
}

case ${1-} in
-*)
  [ -n "$CONSUL_CLIENT_INTERFACE" ] || set -- -client=0.0.0.0 "$@"
  set -- agent "$@"
  ;;
esac

if [ "${1-}" = agent ]; then
  shift
  if [ -n "$CONSUL_LOCAL_CONFIG" ]; then
    printf '%s\n' "$CONSUL_LOCAL_CONFIG" >"$config/local.json"
  fi
  if [ -n "$CONSUL_CLIENT_INTERFACE" ]; then
    on_interface "$CONSUL_CLIENT_INTERFACE" client
    set -- "-client={{ GetInterfaceIP \"$CONSUL_CLIENT_INTERFACE\" }}" "$@"
  fi
  if [ -n "$CONSUL_BIND_INTERFACE" ]; then
    on_interface "$CONSUL_BIND_INTERFACE" bind
    set -- "-bind={{ GetInterfaceIP \"$CONSUL_BIND_INTERFACE\" }}" "$@"
  fi
  set -- consul agent "-data-dir=$data" "-config-dir=$config" "$@"
else
  case "$(consul --help "${1-}" 2>&1)" in
  *"consul ${1-}"*) set -- consul "$@" ;;
  esac
fi

# Root is only needed to take over what was mounted from outside; from then on an agent is an ordinary user.
if [ "$1 ${2-}" = 'consul agent' ] && [ "$(id -u)" = 0 ] && [ -z "${CONSUL_DISABLE_PERM_MGMT+set}" ]; then
  chown -R 100:1000 "$data" "$config" 2>/dev/null ||
    echo "==> Some files in $data and $config keep their owner: they cannot be changed" >&2
  ports=-all
  [ -z "${CONSUL_ALLOW_PRIVILEGED_PORTS+set}" ] || ports=-all,+net_bind_service
  exec setpriv --reuid=100 --regid=1000 --clear-groups --inh-caps="$ports" --ambient-caps="$ports" \
    --bounding-set="$ports" --no-new-privs "$@"
fi
exec "$@"
