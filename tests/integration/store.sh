#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What outlives the process: killed under traffic, stopped, with Redis away, with a damaged store.
. "${0%/*}/lib.sh"

rules()
{
	people -e 's/cap: 300MB, anchor/cap: 3MB, anchor/'
	write_config "$(tap vb)" <<-END
		tick: 100ms
		store: {path: $dir/store}
		rules:
		  - {id: cap, detect: near_cap, class: service, emit: [threshold], steps: [$(seq -s '%, ' 1 100)%]}
	END
}

# Bytes of all subscribers and endpoints, as the store has them after a stop.
kept_bytes()
{
	"$WIRECUE" store dump "$dir/store" --table profiles | /usr/bin/python3 -c '
import json, sys
profiles = map(json.loads, sys.stdin)
print(sum(app["up_bytes"] + app["down_bytes"] for profile in profiles for app in profile["apps"]))'
}

seen_bytes()
{
	show apps --json | fields bytes | awk '{ n += $1 } END { print n + 0 }'
}

all_is_delivered()
{
	has_received && [ "$(redis_says waiting)" = 0 ]
}

durable=(--appendonly yes --appendfsync always)
veth va vb
redis_start "${durable[@]}"
rules

start
check "a new store is made, with its key" test -s "$dir/store/identity.key" -a -s "$dir/store/wirecue.mdb"
equal "for its owner only" "$(stat -c %a "$dir/store/identity.key" "$dir/store/wirecue.mdb" | sort -u)" 600
send va "$pcaps/evening.pcap" --limit=4000
wait_for has_received
wait_for all_are_told
wait_for all_is_delivered
n_first=$(n_events)
bytes=$(seen_bytes)
stop
equal "stopped in order, every byte it saw is kept" "$(kept_bytes)" "$bytes"

n_sent=0
start
check "the time it was away is a gap" says gap "wirecue was stopped"
check "that is shown" matches "$(show gaps)" "was stopped"
send va "$pcaps/evening.pcap" --limit=4000
wait_for has_received
wait_for all_are_told
wait_for all_is_delivered
check "the same traffic again goes on from there" test "$(n_events)" -gt "$n_first"
check "numbers have no gap" numbers_have_no_gap
check "and nothing is said twice" no_event_stands_twice
bytes=$((bytes + $(seen_bytes)))
stop
equal "usage is the sum of both" "$(kept_bytes)" "$bytes"

# Killed: what is lost is the open tick, and what passed while it was down.
n_sent=0
start
send va "$pcaps/evening.pcap" &
sender=$!
wait_for eval '[ "$(frames received)" -gt 3000 ]'
seen=$(seen_bytes)
wait_for eval '[ "$(show store --json | fields waiting)" = 0 ]'
stop KILL
wait "$sender"
start
check "killed under traffic, it starts again" says ready
wait_for eval '[ "$(redis_says waiting)" = 0 ]'
check "numbers have no gap" numbers_have_no_gap
check "and nothing is said twice" no_event_stands_twice
equal "each time it was away is a gap" "$(show gaps --json | wc -l)" 3
check "the last of them a kill" matches "$(show gaps | tail -n 1)" "was not running"
new=$(seen_bytes)
stop
kept=$(($(kept_bytes) - new))
check "every tick that was closed is kept" test "$kept" -ge $((bytes + seen))
check "and nothing more than was sent" test "$kept" -le $((bytes + 20000000))
start

# Redis away: what waits outlives the process.
n_before=$(n_events)
redis_kill
n_sent=0
send va "$pcaps/evening.pcap"
wait_for has_received
wait_for eval '[ "$(redis_says waiting)" -gt 0 ]'
check "the store is well meanwhile" matches "$(show store --json)" '"state": ?"ok"'
stop KILL
check "killed while Redis is away, it keeps what waits" quiet "$WIRECUE" store check "$dir/store"
waiting=$(awk '$1 == "outbox" && $3 == "waiting," { print $2 }' "$dir/out")
check "that is something" test "$waiting" -gt 0
redis_start "${durable[@]}"
start
wait_for eval '[ "$(redis_says waiting)" = 0 ]'
check "and delivers it" test "$(n_events)" -ge $((n_before + waiting))
check "without a gap in the numbers" numbers_have_no_gap
check "and nothing twice" no_event_stands_twice
check "each valid by its schema" events_are_valid
stop

# A damaged store is set aside, and the appliance starts.
dd if=/dev/urandom of="$dir/store/wirecue.mdb" bs=4096 count=2 conv=notrunc status=none # both heads
start
check "a damaged store is said" says store_damaged
check "and set aside" compgen -G "$dir/store/damaged-*/wirecue.mdb"
stop
equal "it works with an empty one" "$status" 0
