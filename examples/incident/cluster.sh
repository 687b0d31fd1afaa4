# The machine and the mesh around the pod: networks, servers, kubelet. For
# scenarios.sh, in namespaces of its own.
export LC_ALL=C TZ=UTC

work=/run/incident
log=$work/log
pod=10.244.0.5

# Each program's user. The redirect leaves 1337 alone.
declare -A uid=([nobody]=65534 [application]=1000 [vault]=100 [istio]=1337)

# as USER NETWORK COMMAND... runs a command with a clean environment.
as() {
  ip netns exec "$2" setpriv --reuid="${uid[$1]}" --regid="${uid[$1]}" --clear-groups \
    env -i PATH="$PATH" HOME="$work" LC_ALL=C TZ=UTC "${@:3}"
}

# build makes everything that exists before the pod's first container. Processes find
# their files in $work, because only root may be able to read the checkout.
build() {
  mount -t tmpfs -o mode=755 incident /run
  mount -t tmpfs -o mode=1777 incident /dev/shm # PostgreSQL leaves files there when it is killed
  umask 022
  install -d -m 1777 "$work" "$work/secrets" "$work/www" # secrets is the pod's shared volume
  install -m 755 "$(dirname "${BASH_SOURCE[0]}")"/*.{sh,cfg} "$work"
  installed=$("$STARTGATE" --install "$work/startgate" 2>&1) || { echo "$installed" >&2 && exit 1; }
  cd "$work"
  : >"$log"
  echo 'correct horse' >password
  echo 'the shop is open' >www/index.html
  build_networks
  build_servers
}

# The pod's way to the outside, where each server has an address.
build_networks() {
  ip netns add outside
  ip netns add pod
  ip link add pod0 netns outside type veth peer name eth0 netns pod
  ip netns exec outside ip -batch - <<'END'
link set lo up
link set pod0 up
address add 10.244.0.1/24 dev pod0
address add 10.20.0.2/32 dev lo
address add 10.20.0.3/32 dev lo
address add 10.20.0.4/32 dev lo
END
  ip netns exec pod ip -batch - <<END
link set lo up
link set eth0 up
address add $pod/24 dev eth0
route add default via 10.244.0.1
END
}

# Redis, PostgreSQL with a password, and what stands in for Vault.
build_servers() {
  as nobody outside redis-server --bind 10.20.0.2 --protected-mode no --save '' >redis.log &
  {
    as nobody outside initdb --no-sync --auth=scram-sha-256 --username=shop --pwfile=password database
    echo 'host all all all scram-sha-256' >>database/pg_hba.conf
    as nobody outside postgres -D database -c listen_addresses=10.20.0.3 -c unix_socket_directories= -c fsync=off
  } >postgres.log 2>&1 &
  as nobody outside haproxy -f vault.cfg 2>&1 | stamp vault.example &
  until_true "Redis answers (redis.log)" as nobody outside redis-cli -h 10.20.0.2 ping
  until_true "PostgreSQL answers (postgres.log)" as nobody outside pg_isready -h 10.20.0.3
  until_true "Vault listens" as nobody outside bash -c ': </dev/tcp/10.20.0.4/8200'
}

# until_true WHAT COMMAND... waits until the command succeeds: up to 2 minutes, for a
# machine that is busy.
until_true() {
  local end=$((SECONDS + 120))
  until "${@:2}" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "run.sh: not within 120 seconds: $1" >&2
      tail "$work"/*.log >&2
      exit 1
    fi
    sleep 0.05
  done
}

# await PATTERN [N] waits until the log has N lines (1) that match.
await() {
  until_true "$1" logged "$@"
}

logged() {
  [ "$(grep -cE "$1" "$log")" -ge "${2-1}" ]
}

# stamp WHO puts lines into the log as they come, as a container runtime does.
stamp() {
  local line now
  while IFS= read -r line; do
    now=$EPOCHREALTIME
    printf -v line '[%s] %(%FT%T)T.%sZ %s\n' "$1" "${now%.*}" "${now#*.}" "$line"
    printf %s "$line" >>"$log"
    printf %s "$line"
  done
}

# event TEXT logs an event of the kubelet.
event() {
  stamp event <<<"$1"
}

# container NAME USER COMMAND... runs a container of the pod to its end.
container() {
  event "Started: container $1"
  as "$2" pod "${@:3}" 2>&1 | stamp "pod/shop/$1"
}

# restart NAME USER COMMAND... is restartPolicy Always. The pauses are a tenth of the
# kubelet's, which are 10, 20, 40 seconds and so on up to 5 minutes.
restart() {
  local pause=1
  until container "$@"; do
    event "BackOff: restarting failed container $1 in ${pause}0 seconds, which here are $pause"
    sleep "$pause"
    pause=$((2 * pause))
  done
}

# init is istio-init, with the ranges that Istio's template gives it: the
# pod's annotation or else the value for all.
init() {
  event "Started: container istio-init"
  ip netns exec pod ./istio-init.sh "${annotation-${global-}}" 2>&1 | stamp pod/shop/istio-init
}

# istio-proxy is the container: after the pull of its image the agent starts, and at the
# end Envoy has its configuration. This takes a tenth of the time it took in the incident,
# but on a busy machine longer: the kubelet has to see three times that it is not ready.
istio-proxy() {
  sleep 1
  container istio-proxy istio haproxy -f agent.cfg &
  readiness &
  sleep 3.3
  await 'Readiness probe failed: .* statuscode: 503' 3
  as istio pod haproxy -f envoy.cfg 2>&1 | stamp pod/shop/istio-proxy
}

# readiness is the kubelet's probe of istio-proxy, from outside the pod.
readiness() {
  local answer
  until answer=$(as nobody outside timeout 1 busybox wget -q -O - "http://$pod:15020/healthz/ready" 2>&1); do
    case $answer in
    *HTTP*) event "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: $(cut -d ' ' -f 6 <<<"$answer")" ;;
    *refused*) event "Unhealthy: Readiness probe failed: Get \"http://$pod:15020/healthz/ready\": connect: connection refused" ;;
    *) event "Unhealthy: Readiness probe failed: $answer" ;;
    esac
    sleep 0.5
  done
  event "Ready: container istio-proxy"
}

# works waits until the pod works, and the log has everything that shows it.
works() {
  await 'app\] .* the application serves'
  await 'event\] .* Ready: container istio-proxy'
  await 'istio-proxy\] .* outbound 10.20.0.3:5432'
}

# ask is a client outside the pod. Its line in the proxy's log is after all others.
ask() {
  until_true "the client is answered" as nobody outside timeout 5 busybox wget -q -O answer "http://$pod:8080/"
  await "istio-proxy\\] .* inbound $pod:8080"
  stamp client <answer
}
