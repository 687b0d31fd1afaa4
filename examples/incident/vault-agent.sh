#!/bin/sh
# Vault's agent, as far as one secret goes: it asks until it has it, renders it, and
# does so again and again.
#
#	vault-agent.sh [-exit-after-auth]
while :; do
  if secret=$(timeout 2 busybox wget -q -O - --header 'X-Vault-Token: s.example' http://10.20.0.4:8200/v1/secret/data/database); then
    echo "$secret" | sed 's/.*"password":"\([^"]*\)".*/\1/' >secrets/database.new
    mv secrets/database.new secrets/database # whole or not at all
    echo "rendered secrets/database"
    [ "$1" = -exit-after-auth ] && exit
  fi
  sleep 0.5
done
