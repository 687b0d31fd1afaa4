#!/bin/sh
# The redirect that istio-init installs (istio/istio, tools/istio-iptables) when it
# is called as Istio's template calls it: -p 15001 -z 15006 -u 1337 -m REDIRECT -i *
# -x EXCLUDED -b * -d 15090,15021,15020. It is for IPv4, the pod's only protocol.
#
#	istio-init.sh EXCLUDED    comma separated ranges, or empty
set -e
exclude() {
  IFS=,
  for range in $1; do
    echo "-A ISTIO_OUTPUT -d $range -j RETURN"
  done
}

iptables-restore --noflush <<END
*nat
-N ISTIO_INBOUND
-N ISTIO_REDIRECT
-N ISTIO_IN_REDIRECT
-N ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN
-A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
$(exclude "$1")
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
COMMIT
END
echo "all TCP goes to the proxy, but not that of uid 1337 and not to: ${1:-(no exclusion)}"
