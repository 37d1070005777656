#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Redis loses what it had acknowledged: nothing is published until somebody who may has chosen.
. "${0%/*}/lib.sh"

stream()
{
	"$WIRECUE" stream "$@"
}

field() # NAME: of `wirecue stream`
{
	stream | awk -v name="$1" '$1 == name { sub(/^[^ ]+ +/, ""); print }'
}

in_conflict()
{
	[ "$(redis_says state)" = conflict ]
}

has_delivered()
{
	[ "$(n_events)" -gt 0 ] && [ "$(redis_says waiting)" = 0 ]
}

veth va vb
people -e 's/cap: 300MB, anchor/cap: 3MB, anchor/'
write_config "$(tap vb)" <<-END
	tick: 100ms
	rules:
	  - {id: cap, detect: near_cap, class: service, emit: [threshold], steps: [$(seq -s '%, ' 1 100)%]}
END
redis_start
start
equal "while all is well there is nothing to choose" "$(field continue)" ''
ends "and a choice is refused" 1 'continue: there is nothing to choose' "$WIRECUE" stream continue
ends "a word that is none is wrong usage" 2 "'again', expected resend, continue or nothing" "$WIRECUE" stream again

send va "$pcaps/evening.pcap" --limit=14000
wait_for has_delivered
n_lost=$(redis_says confirmed)
redis flushall >/dev/null
redis client kill type normal skipme yes >/dev/null
wait_for in_conflict
check "the log says how many are lost" says redis_lost_triggers "lost=$n_lost"
equal "stream says what was acknowledged" "$(field acknowledged)" "$n_lost"
equal "and what is there" "$(field reached)" 0
check "and what going on would do" matches "$(field continue)" "^goes on behind $n_lost; 1 to $n_lost stay a gap"
equal "as JSON too" "$(stream --json | fields reached)" 0

chmod 777 "$dir" /run/wirecue
chmod 666 /run/wirecue/control.sock
ends "a stranger may not choose" 1 "only root and the daemon's own user" \
	"${nobody[@]}" "$dir/open/wirecue" stream continue
member=(setpriv --reuid=65534 --regid=0 --clear-groups env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0")
ends "nor may a member of the group" 1 'may change something' "${member[@]}" "$dir/open/wirecue" stream continue
check "who may look" quiet "${member[@]}" "$dir/open/wirecue" stream
check "it is still in conflict" in_conflict

check "root chooses to go on" quiet "$WIRECUE" stream continue
check "and is told what that does" grep -q "goes on behind $n_lost" "$dir/out"
check "the log keeps who did" says stream_choice 'choice=continue who=0'
wait_for eval '[ "$(redis_says state)" = ready ]'
send va "$pcaps/evening.pcap" --limit=8000
wait_for has_delivered
equal "the stream goes on behind the gap" "$(events | fields sequence | awk 'NR == 1 { print $1 + 0 }')" $((n_lost + 1))
# Nobody has anything to say, and the stream goes.
redis del 'wirecue:triggers:{0}' 'wirecue:sequence:{0}' >/dev/null
wait_for -t 20 in_conflict
ok "a stream that goes in a quiet hour is noticed"
stop
equal "it ends in order" "$status" 0
