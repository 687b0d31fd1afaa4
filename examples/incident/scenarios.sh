# What happens in the pod: a function for each scenario. run.sh starts this in its
# namespaces.
set -euo pipefail
source "$(dirname "$0")/cluster.sh"

# The incident: the application starts when the kubelet starts it.
without-startgate() {
  init
  cp password secrets/database
  restart app application ./application.sh &
  istio-proxy &
  works
  ask
}

# The cure. The image has startgate as its ENTRYPOINT, and nothing is set.
with-startgate() {
  init
  cp password secrets/database
  restart app application ./startgate -- ./application.sh &
  istio-proxy &
  works
  ask
}

# Vault's injector appends an init container, which comes after istio-init. The kubelet
# starts the other containers when that one has exited: never. Here it gets more time than
# the proxy needs in the other scenarios, and at least five tries.
vault() {
  with-agent-init &
  sleep 6
  await 'vault-agent-init\] .*Connection refused' 5
  [ -e secrets/database ] || event "shop is still Init:1/2, and istio-proxy and app wait for vault-agent-init"
}

# The first exclusion is an annotation of the pod, the second a value of Istio's
# installation, for all pods. Either lets the agent bypass the proxy, and everything else
# in the pod too, for as long as the pod lives.
vault-excluded-by-pod() {
  annotation=10.20.0.4/32 # traffic.sidecar.istio.io/excludeOutboundIPRanges
  with-agent-init
}

vault-excluded-by-mesh() {
  global=10.20.0.4/32 # global.proxy.excludeIPRanges
  with-agent-init
}

# with-agent-init has the agent as both, init container and sidecar, as the injector
# makes it. The application still has to wait for the proxy.
with-agent-init() {
  init
  container vault-agent-init vault ./vault-agent.sh -exit-after-auth
  restart app application ./startgate -- ./application.sh &
  istio-proxy &
  works
  container vault-agent vault ./vault-agent.sh &
  await 'vault-agent\] .* rendered'
  ask
}

# The cure: the agent is an ordinary sidecar only, by the pod's annotation
# vault.hashicorp.com/agent-pre-populate: "false", and the application is held until
# the proxy is ready and the file is there.
vault-with-startgate() {
  init
  restart app application env STARTGATE_WAIT_FOR="istio,file://$PWD/secrets/database" ./startgate -- ./application.sh &
  container vault-agent vault ./vault-agent.sh &
  istio-proxy &
  works
  ask
}

build
echo "== $1"
"$1"
