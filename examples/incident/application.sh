#!/bin/sh
# The application, as many are: at its start it needs Redis and PostgreSQL, and it
# ends when it does not get them. Then it serves.
echo "the application starts, as process $$"

try() { # NAME COMMAND...
  name=$1
  shift
  if answer=$("$@" 2>&1); then
    echo "$name answers: $answer"
  else
    echo "$name: $answer"
    failed=yes
  fi
}
PGPASSWORD=$(cat secrets/database) || exit
export PGPASSWORD
try Redis redis-cli -e -h 10.20.0.2 incr starts
try PostgreSQL psql -h 10.20.0.3 -U shop -d postgres -Atc 'show server_version'
if [ -n "$failed" ]; then
  echo "the application ends: it cannot work so"
  exit 1
fi
echo "the application serves"
exec busybox httpd -f -p 8080 -h www
