#!/usr/bin/env bash
# The incident that startgate is made against, and its cure, with real parts: the
# redirect that istio-init installs, HAProxy in Envoy's place, Redis, PostgreSQL.
#
#	./run.sh [SCENARIO...]    # the functions of scenarios.sh; all, if none is named
#	./run.sh --check          # whether this machine has everything that it needs
#
# The output is what `kubectl logs --all-containers --prefix --timestamps` shows of
# the pod, and the kubelet's events between.
#
# It needs root, the commands named below, and Go, or in STARTGATE the path of the
# binary. Everything happens in namespaces, with a /run and a /dev/shm of its own: when
# this process exits, for whatever reason, the kernel kills the others and removes
# everything else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing() {
  echo "run.sh needs $1" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || missing root
# sudo leaves out where Go usually is.
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin:$(printf '%s:' /usr/lib/postgresql/*/bin)
export PATH
for command in busybox haproxy initdb ip iptables-restore pg_isready postgres psql redis-cli redis-server setpriv timeout unshare; do
  command -v "$command" >/dev/null || missing "$command"
done
[ -n "${STARTGATE-}" ] || command -v go >/dev/null || missing "go in PATH, or the binary's path in STARTGATE"
[ "${1-}" != --check ] || exit 0

scenarios=(without-startgate with-startgate vault vault-excluded-by-pod vault-excluded-by-mesh vault-with-startgate)
[ $# -gt 0 ] || set -- "${scenarios[@]}"
for scenario; do
  [[ " ${scenarios[*]} " == *" $scenario "* ]] || missing "one of these scenarios: ${scenarios[*]}"
done

if [ -z "${STARTGATE-}" ]; then
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  STARTGATE=$dir/startgate
  (cd "$here/../.." && CGO_ENABLED=0 go build -buildvcs=false -o "$STARTGATE" ./cmd/startgate)
fi
export STARTGATE
for scenario; do
  setpriv --pdeathsig KILL unshare --mount --ipc --pid --fork --kill-child --mount-proc \
    timeout -s KILL 300 bash "$here/scenarios.sh" "$scenario" &
  wait $! # in wait, bash acts on a signal at once
done
