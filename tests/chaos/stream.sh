# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the stream-* scenarios share: the real daemon with a store between real links and a real Redis; somebody does
# something to the stream behind its back, and chooses what becomes of it. One line at the end.
began=$SECONDS
name=${0##*/}

# shellcheck source=../integration/lib.sh
. "${BASH_SOURCE[0]%/*}/../integration/lib.sh"

# Only what is wrong is said.
ok()
{
	:
}

# Each tick that carries a person over a further percent of the cap is a trigger.
stream_config()
{
	people -e 's/cap: 300MB, anchor/cap: 3MB, anchor/' -e 's/cap: 5GB, anchor/cap: 1MB, anchor/'
	write_config "$(tap vb)" <<-END
		tick: 100ms
		store: {path: "$dir/store"}
		rules:
		  - {id: cap, detect: near_cap, class: service, emit: [threshold], steps: [$(seq -s '%, ' 1 100)%]}
	END
}

decided()
{
	show triggers --json | fields state count | awk '$1 == "decided" { n += $2 } END { print n + 0 }'
}

all_is_delivered()
{
	has_received && [ "$(redis_says state)" = ready ] && [ "$(redis_says waiting)" = 0 ]
}

# pass FRAMES [PPS]: traffic.
pass()
{
	# shellcheck disable=SC2034 # read by send
	local pps=${2:-4000}

	send va "$pcaps/evening.pcap" --limit="$1"
}

# traffic FRAMES [PPS]: until all that it makes is in the stream.
traffic()
{
	pass "$@"
	wait_for -t 20 all_is_delivered
	# What the last tick decides comes within it.
	wait_for -t 20 all_is_said
}

all_is_said()
{
	[ "$(decided)" = "$(last_sequence)" ]
}

last_sequence()
{
	redis hget 'wirecue:sequence:{0}' sequence | sed 's/^0*//'
}

in_conflict()
{
	[ "$(redis_says state)" = conflict ]
}

is_ready()
{
	[ "$(redis_says state)" = ready ]
}

ids()
{
	events | fields id
}

# continues FROM: what is in the stream is numbered FROM, FROM + 1, ... to what was decided, and no id stands twice.
continues()
{
	events | fields sequence id | awk -v from="$1" -v last="$(decided)" '
		$1 + 0 != from + NR - 1 { print "  gap: " $1 " at entry " NR; bad = 1 }
		seen[$2]++ { print "  twice: " $2; bad = 1 }
		END { exit bad || from + NR - 1 != last }'
}

# begin: links, Redis, daemon, and a first part of the traffic.
begin()
{
	veth va vb
	redis_start "$@"
	stream_config
	start --socket /run/wirecue/control.sock
	traffic 6000
	check "there are triggers" test "$(n_events)" -gt 5
}

# offers WORD: wirecue stream says what the choice would do.
offers()
{
	quiet "$WIRECUE" stream && grep -q "^$1 " "$dir/out"
}

# choose WORD: once the daemon has seen the conflict.
choose()
{
	wait_for in_conflict
	wait_for offers "$1"
	check "the log says what is lost" says redis_lost_triggers
	check "wirecue stream $1" quiet "$WIRECUE" stream "$1"
	wait_for is_ready
}

# finish TEXT: the line.
finish()
{
	local verdict=ok

	[ "$n_failed" -eq 0 ] || verdict=FAIL
	printf '%s: %s; %d decided, numbers to %d; %d s; %s\n' "$name" "$*" "$(decided)" "$(last_sequence)" \
		$((SECONDS - began)) "$verdict"
}
