#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The daemon under a flood of every shape, with subscribers who behave among it: memory, ledger, log.
. "${0%/*}/lib.sh"

generate=$WIRECUE_BUILD/tests/bench/generate

# But for those of which the kernel keeps some to itself: cut VLAN tags, and frames shorter than a header.
shapes=$("$generate" --shapes | awk '$1 !~ /^(cut|damaged|noise)$/ { printf "%s%s", n++ ? "," : "", $1 }')

# flood N: so many frames, 9 of 10 hostile; what the subscribers sent stands in $dir/truth then.
flood()
{
	"$generate" --frames "$1" --subscribers 200 --flows 1 --flow-packets 0 --flood "$shapes" --seed "$1" \
		--truth "$dir/truth" "$dir/flood.pcap"
	send va "$dir/flood.pcap" --no-flow-stats
	wait_for -t 30 has_arrived
}

# Each frame has its outcome or waits for the rest of its datagram. (Of so many the kernel may drop some on a busy
# machine: that is not what this is about.)
has_arrived()
{
	show ledger total --json | fields what count | awk '
		{ n[$1] = $2 }
		$1 !~ /^(received|held|in_flight|balance|lost)$/ { sum += $2 }
		END {
			exit n["received"] == 0 || n["in_flight"] + n["balance"] != 0 || sum + n["held"] != n["received"]
		}'
}

# sent FIELD: packets or bytes of the flows of TLS and HTTP, which nobody else has.
sent()
{
	/usr/bin/python3 -c '
import json, sys
flows = (json.loads(line) for line in open(sys.argv[1]))
print(sum(sum(f[sys.argv[2]]) for f in flows if f.get("l4") == "tcp"))' "$dir/truth" "$1"
}

peak_kb()
{
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$wirecue_pid/status"
}

cat >"$dir/apps.yaml" <<END
apps: [{name: shop, category: shopping, hosts: [shop.example]}]
END
veth va vb 1900
write_config "$(tap vb)" <<END
apps: apps.yaml
flows: {recent: 4k}
END
sed -i -e 's/^workers:.*/workers: {flows: 4k, endpoints: 1k}/' -e 's/^endpoints:.*/endpoints: {networks: [10.0.0.0\/8, 100.64.0.0\/10, "fd00::\/8"]}/' "$config"
start
n_sent=0
# shellcheck disable=SC2034 # of send
pps=10000
flood 30000
ok "each frame of a flood has one outcome"
if [ "$(frames received)" = "$n_sent" ]; then
	wait_for eval '[ "$(app shop packets) $(app shop bytes)" = "$(sent packets) $(sent bytes)" ]'
	ok "who behaves is counted to the byte meanwhile"
fi
peak=$(peak_kb)
n_lines=$(wc -l <"$log")
flood 90000
ok "each frame of one four times as long has one outcome"
check "no memory was taken for it" [ "$(peak_kb)" -le $((peak * (patience > 1 ? 125 : 105) / 100)) ]
printf '  peak of memory: %d MB, then %d MB; %d of %d frames received\n' \
	$((peak / 1024)) $(($(peak_kb) / 1024)) "$(frames received)" "$n_sent"
check "the log has a word for what is wrong, not for each packet" [ $(($(wc -l <"$log") - n_lines)) -le 20 ]
stop
equal "it ends with success" "$status" 0
