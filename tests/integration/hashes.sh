#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The hashes of each subscriber in Redis, from the running daemon: what they say is what `show subscriber` says.
. "${0%/*}/lib.sh"

usage='wirecue:usage:{msisdn:+99900000001}'

granted()
{
	people -e '/purpose: marketing/{p;s/marketing/profiling/}' "$@"
}

# used APP DIRECTION: of person 1, by `show`.
used()
{
	show subscriber msisdn:+99900000001 --json | /usr/bin/python3 -c '
import json, sys
usage = json.load(sys.stdin)["usage"]
print(sum(u[sys.argv[2] + "_bytes"] for u in usage if sys.argv[1] in ("total", u["app"])))' "$@"
}

# mirrored APP DIRECTION: the same, by the hash; one cycle only runs.
mirrored()
{
	redis --raw hgetall "$usage" | paste - - | awk -F '[:\t]' -v app="$1" -v dir="$2" '
		$2 == "lab" && $3 == app && $4 == dir { n += $5 } END { print n + 0 }'
}

is_mirrored() # APP
{
	[ "$(used "$1" up)" -gt 0 ] && [ "$(used "$1" up)" = "$(mirrored "$1" up)" ] &&
		[ "$(used "$1" down)" = "$(mirrored "$1" down)" ]
}

names_no_app()
{
	[ "$(mirrored total up)" -gt 0 ] && ! redis --raw hkeys "$usage" | grep -qv ':total:'
}

heartbeat()
{
	redis --raw get 'wirecue:heartbeat:{lab}' | fields "$@"
}

veth va vb
redis_start
granted
write_config "$(tap vb)" </dev/null
sed -i 's/^redis: {/&usage_interval: 1s, /' "$config"
start
send va "$pcaps/evening.pcap" --limit=8000
wait_for has_received
wait_for is_mirrored total
ok "usage in Redis is what was counted"
app=$(redis --raw hkeys "$usage" | cut -d : -f 3 | grep -vx 'total\|unknown' | head -n 1)
wait_for is_mirrored "$app"
ok "an app is named, with consent"
equal "an app of a competitor never is" "$(redis --raw keys 'wirecue:usage:*' |
	while read -r key; do redis --raw hkeys "$key"; done | grep -c rival)" 0
equal "the profile says what the gates say" "$(redis --raw hmget 'wirecue:profile:{msisdn:+99900000001}' v node plan may_upsell |
	paste -s -d ' ')" "1 lab s 1"
equal "nobody has hashes who is not told" "$(redis --raw keys 'wirecue:*' | grep -c 'endpoint\|ip:')" 0
wait_for eval '[ "$(redis_says hashes_waiting)" = 0 ]'
equal "show tells of it" "$(redis_says hashes_state)" ready
wait_for -t 15 eval '[ "$(heartbeat hashes_waiting)" = 0 ] && [ "$(heartbeat frames)" -gt 0 ]'
check "and the heartbeat of coverage" matches "$(heartbeat coverage.capture_loss coverage.unbound coverage.unclassified)" \
	'^[01]\.[0-9]+ [01]\.[0-9]+ [01]\.[0-9]+$'

people
kill -HUP "$wirecue_pid"
wait_for names_no_app
ok "without consent no app is named any more"
redis_kill
redis_start
wait_for is_mirrored total
ok "a Redis that lost them gets them again"
stop

sed -i 's/^redis: {/&hashes: false, /' "$config"
redis flushall >/dev/null
start
n_sent=0
send va "$pcaps/recorded/tls-switch.pcap"
wait_for has_received
wait_for eval '[ "$(redis exists "wirecue:heartbeat:{lab}")" = 1 ]'
equal "switched off, there are none" "$(redis --raw keys 'wirecue:*' | grep -c 'usage\|profile\|mirror')" 0
equal "nor a word of them" "$(redis_says hashes_state)" null
stop
