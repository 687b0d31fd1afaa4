#!/bin/sh
# label.sh FROM TO gives the metrics of each pod their labels: one pass, for a loop.
#
# It reads FROM/NAMESPACE_WORKLOAD_POD.prom, as startgate wrote it, and writes
# TO/startgate.NAMESPACE_WORKLOAD_POD.prom, with namespace, workload and pod in every
# series, for the node exporter. Only what begins with startgate_ passes: a pod that
# may write to FROM cannot invent another metric. What nobody wrote for an hour is
# deleted, because no one else tidies a hostPath; so a file is news of the last hour. So is
# a file that says that its pod waits and is 2 minutes old: the pod, which would have
# written it every 30 seconds, was killed.
set -eu
LC_ALL=C
export LC_ALL
from=$1 to=$2

find "$from" -type f -name '*.prom*' -mmin +60 -exec rm -f {} +
find "$from" -type f -name '*.prom' -mmin +1 -exec grep -q '^startgate_waiting{.*} 1$' {} \; -exec rm -f {} +
for file in "$to"/startgate.*.prom; do
	[ -f "$from/${file#"$to/startgate."}" ] || rm -f "$file"
done

for file in "$from"/*_*_*.prom; do
	name=${file##*/} name=${name%.prom}
	case $name in *[!A-Za-z0-9._-]*) continue ;; esac # no file at all, too
	[ -f "$file" ] && [ ! -L "$file" ] || continue
	# Only the workload, a label's value, can have a _ of its own.
	namespace=${name%%_*} pod=${name##*_}
	workload=${name#*_} workload=${workload%_*}
	labels="namespace=\"$namespace\",workload=\"$workload\",pod=\"$pod\""
	sed -E -e '/^(# (HELP|TYPE) )?startgate_/!d' \
		-e "s/^(startgate_[a-z_]+)\{/\1{$labels,/" -e t \
		-e "s/^(startgate_[a-z_]+) /\1{$labels} /" \
		"$file" >"$to/startgate.$name.new" || continue # gone meanwhile
	mv -f "$to/startgate.$name.new" "$to/startgate.$name.prom"
done
