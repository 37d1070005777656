#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The daemon's day: frames come in on an interface, triggers come out of Redis, it stops in order.
. "${0%/*}/lib.sh"

stamped()
{
	while read -r line; do
		printf '%s %s\n' "$EPOCHREALTIME" "$line"
	done
}

# heard FILE: the events that a subscriber got.
heard()
{
	sed -n 's/^[0-9.]* {/{/p' "$1"
}

# Not a promise that this machine could be held to, so it is only shown.
tell_delays()
{
	/usr/bin/python3 -c '
import datetime, json, sys
for line in open(sys.argv[1]):
    at, _, event = line.partition(" ")
    if event.startswith("{"):
        event = json.loads(event)
        ms = 1000 * (float(at) - datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp())
        print("  {:.0f} ms from event time to subscriber: {}".format(ms, event["type"]))' "$1"
}

veth va vb
redis_start
people -e 's/cap: 300MB, anchor/cap: 1MB, anchor/'
write_config "$(tap vb)" <<-END
	rules:
	  - {id: keep-them, detect: competitor, class: retention, purpose: retention, min_days: 1}
	  - {id: near-cap, detect: near_cap, class: upsell, purpose: marketing}
	  - {id: vod, detect: app_session, class: upsell, purpose: marketing, category: streaming, start_after: 0s,
	     gap: 10s, min_duration: 1s, min_rate: 0bit, min_bytes: 0B}
END
start
redis subscribe wirecue:triggers | stamped >"$dir/channel" &
redis subscribe wirecue:trigger:wirecue.competitor.interest.v1 | stamped >"$dir/interest" &
wait_for grep -q subscribe "$dir/channel"
wait_for grep -q subscribe "$dir/interest"

for capture in evening dns-http quic qinq gtpu-ipv6; do
	send va "$pcaps/$capture.pcap"
done
wait_for has_received
ok "every frame that was sent is received ($n_sent)"
wait_for ledger_adds_up
ok "every frame has one outcome"
equal "nothing was lost on the way in" "$(frames lost) $(frames queue_full)" "0 0"

# Eleven seconds of silence end the viewing.
wait_for -t 20 has app.watched
for type in competitor.interest usage.threshold app.session_started app.session_ended app.watched; do
	check "the stream has $type" has "$type"
done
check "all triggers are of a schema" events_are_valid
check "they are numbered without a gap" numbers_have_no_gap
equal "the channel has what the stream has" "$(heard "$dir/channel")" "$(events)"
equal "the type's channel has its part" "$(heard "$dir/interest")" "$(events | grep competitor.interest)"
tell_delays "$dir/interest"

stop
equal "SIGTERM ends it with success" "$status" 0
check "it says so last" grep -q ' notice stopped$' <(tail -n 1 "$log")
check "nothing remains undelivered" eval '! says triggers_undelivered && ! says stop_incomplete'
check "its socket is gone" test ! -e /run/wirecue/control.sock
