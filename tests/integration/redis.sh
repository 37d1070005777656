#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Redis comes late, dies under traffic and comes again: every trigger arrives, in order, once.
. "${0%/*}/lib.sh"

# Each tick that carries person 1 over a further percent of the cap is a trigger.
steps_config()
{
	people -e 's/cap: 300MB, anchor/cap: 3MB, anchor/'
	write_config "$(tap vb)" <<-END
		tick: 100ms
		rules:
		  - {id: cap, detect: near_cap, class: service, emit: [threshold], steps: [$(seq -s '%, ' 1 100)%]}
	END
}

decided()
{
	show triggers --json | fields state count | awk '$1 == "decided" { n += $2 } END { print n + 0 }'
}

waiting() # MIN
{
	[ "$(redis_says waiting)" -ge "$1" ]
}

has_more_than() # N
{
	[ "$(n_events)" -gt "$1" ]
}

all_is_delivered()
{
	[ "$(redis_says waiting)" = 0 ] && [ "$(n_events)" = "$(decided)" ]
}

# settle: every tick up to now is decided.
settle()
{
	local now

	wait_for has_received
	now=$(date -u +%FT%T.%3NZ)
	wait_for eval '[[ $(show subscriber msisdn:+99900000001 --json | fields as_of) > '"$now"' ]]'
}

in_order() # of decision: each step is further than the one before
{
	events | fields data.step_pct | awk '$1 <= last { bad = 1 } { last = $1 } END { exit bad || NR == 0 }'
}

veth va vb
steps_config
start
check "the log says that Redis is away, and what to look at" says redis_down 'state=unreachable'
send va "$pcaps/evening.pcap" --limit=14000
settle
check "triggers wait" waiting 5
equal "show says so too" "$(redis_says state)" unreachable
n_late=$(redis_says waiting)
redis_start --appendonly yes --appendfsync always
wait_for all_is_delivered
equal "when it comes it gets what waited ($n_late)" "$(n_events)" "$n_late"
check "the log says that it is back" says redis_ready

for _ in 1 2 3; do
	send va "$pcaps/evening.pcap" --limit=8000 &
	sender=$!
	wait_for has_more_than "$(n_events)"
	redis_kill
	wait_for eval '[ "$(redis_says state)" != ready ]'
	wait "$sender"
	redis_start --appendonly yes --appendfsync always
	wait_for -t 20 all_is_delivered
done
check "killed three times under traffic, it has them all" test "$(n_events)" -gt "$n_late"
check "in the order of decision" in_order
check "numbered without a gap" numbers_have_no_gap
check "and none twice" no_event_stands_twice
equal "Redis has forgotten none" "$(redis_says lost_by_redis)" 0
check "all triggers are of a schema" events_are_valid

redis_kill
people -e 's/cap: 300MB, anchor/cap: 100MB, anchor/' -e 's/cap: 5GB, anchor/cap: 1MB, anchor/'
kill -HUP "$wirecue_pid"
wait_for says reloaded
pps=20000
n_sent=$(frames received)
send va "$pcaps/evening.pcap"
settle
check "triggers wait again" waiting 1
n_left=$(redis_says waiting)
stop
equal "stopped while Redis is away it ends with success" "$status" 0
check "and says how many it takes with it" says triggers_undelivered "count=$n_left"
