# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What every scenario begins with: `. "${0%/*}/lib.sh"`.
#
# The script runs again inside network, mount and process namespaces of its own, as process 1 of the last: whatever
# it leaves behind ends with it, and so does everything when the script itself is killed. /run is empty and private,
# so the daemon's default paths are free; $dir is a folder that another user can read.
#
# Nothing here sleeps for luck: wait_for asks until a condition holds, 10 s by default.
set -uo pipefail
export LC_ALL=C.UTF-8

: "${WIRECUE_TOP:=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)}"
: "${WIRECUE_BUILD:=$WIRECUE_TOP/build}"
: "${WIRECUE:=$WIRECUE_BUILD/control/wirecue}"
pcaps=$WIRECUE_TOP/pcaps
n_failed=0
patience=2 # times the seconds that wait_for is told: another scenario may run beside
[ -z "${ASAN_OPTIONS:-}" ] || patience=6
wirecue_pid=''
redis_pid=''

skip()
{
	printf 'SKIP: %s\n' "$*"
	exit 77
}

enter_namespaces()
{
	local tool

	for tool in ip ethtool tcpreplay tcpprep redis-server redis-cli setpriv /usr/bin/python3; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	unshare --net --mount --pid --fork --mount-proc ip link set lo up 2>/dev/null ||
		skip "needs CAP_NET_ADMIN and namespaces"
	WIRECUE_NAMESPACES=entered exec unshare --net --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
}

leave()
{
	local status=$?

	if [ "$status" -eq 0 ] && [ "$n_failed" -gt 0 ]; then
		status=1
	fi
	if [ "$status" -ne 0 ]; then
		sed -i '/^Warning in send_packets\|^Unable to send/d' "$dir/tcpreplay.log" 2>/dev/null
		"$WIRECUE" show ledger 2>/dev/null
		printf 'sent: %d\n' "$n_sent"
		tail -n 30 "$dir"/*.log "$dir/err" 2>/dev/null
	fi
	rm -rf -- "$dir"
	exit "$status"
}

[ "${WIRECUE_NAMESPACES:-}" = entered ] || enter_namespaces "$@"
dir=$(mktemp -d "${TMPDIR:-/tmp}/wirecue-integration-XXXXXX")
trap leave EXIT
trap 'exit 143' TERM INT
chmod 755 "$dir"
# The checkout may lie in somebody's home: what others than root run and read stands here as well.
mkdir "$dir/open"
cp "$WIRECUE" "$dir/open/wirecue"
cp "$pcaps/quic.pcap" "$WIRECUE_TOP/control/catalogue/apps.yaml" "$dir/open/"
chmod -R a+rX "$dir/open"
# shellcheck disable=SC2034 # for the scripts
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env "WIRECUE_DATADIR=$dir/open"
	"ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0")
mount -t tmpfs -o mode=755 none /run
mkdir /run/wirecue
ip link set lo up
printf 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 # no word from the kernel on links that come later
log=$dir/wirecue.log
config=$dir/wirecue.yaml

# --- saying what is true ---------------------------------------------------------------------

ok()
{
	printf 'ok - %s\n' "$*"
}

not_ok()
{
	printf 'not ok - %s\n' "$*"
	n_failed=$((n_failed + 1))
}

# check WHAT COMMAND...: WHAT is a sentence that holds when the command succeeds.
check()
{
	local what=$1
	shift

	if "$@"; then
		ok "$what"
	else
		not_ok "$what"
		printf '  failed: %s\n' "$*"
	fi
}

# equal WHAT GOT EXPECTED
equal()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '  got      %s\n  expected %s\n' "$2" "$3"
	fi
}

# matches TEXT REGEX: bash's regular expressions, for check.
matches()
{
	[[ $1 =~ $2 ]] || {
		printf '  got      %s\n  expected %s\n' "$1" "$2"
		false
	}
}

# quiet COMMAND...: its output goes to $dir/out and $dir/err; keeps the exit status in $status as well.
quiet()
{
	"$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	return "$status"
}

# ends WHAT STATUS REGEX COMMAND...: it ends with STATUS, and what it says is one line that REGEX matches.
ends()
{
	local what=$1 expected=$2 regex=$3
	shift 3

	quiet timeout 60 "$@" || true
	if [ "$status" -eq "$expected" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && [[ $(cat "$dir/err") =~ $regex ]]; then
		ok "$what"
	else
		not_ok "$what"
		printf '  got      exit %d, %s\n  expected exit %d, one line like %s\n' \
			"$status" "$(cat "$dir/err")" "$expected" "$regex"
	fi
}

# wait_for [-t SECONDS] COMMAND...: until it succeeds. Gives up the scenario: what follows would only confuse.
wait_for()
{
	local seconds=10 deadline
	if [ "$1" = -t ]; then
		seconds=$2
		shift 2
	fi
	deadline=$((SECONDS + seconds * patience + 1))

	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			not_ok "within $seconds s: $*"
			exit 1
		fi
		sleep 0.02
	done
}

# --- links and traffic -------------------------------------------------------------------------

# veth A B [MTU]: what goes into A comes out of B, and nothing but our frames, as they are.
veth()
{
	local i

	ip link add "$1" mtu "${3:-1500}" type veth peer name "$2" mtu "${3:-1500}"
	for i in "$1" "$2"; do
		ethtool -K "$i" tso off gso off gro off tx off >/dev/null
		ip link set "$i" arp off multicast off up
	done
}

# send IFACE CAPTURE [ARG...]: all frames that fit the interface, $pps a second; adds how many were sent to n_sent.
n_sent=0
pps=4000
send()
{
	local iface=$1 capture=$2
	shift 2

	tcpreplay -i "$iface" --pps="$pps" "$@" "$capture" >"$dir/tcpreplay.log" 2>&1
	count_sent
}

# count_sent: what tcpreplay has said.
count_sent()
{
	n_sent=$((n_sent + $(awk '$1 $2 == "Successfulpackets:" { n += $3 } END { print n + 0 }' "$dir/tcpreplay.log")))
}

# --- redis --------------------------------------------------------------------------------------

redis_socket=$dir/redis.sock

# redis_start [ARG...]: a server of our own; keeps what it has in $dir when ARGs say so.
redis_start()
{
	redis-server --port 0 --unixsocket "$redis_socket" --dir "$dir" --save '' --loglevel warning "$@" >"$dir/redis-server.log" 2>&1 &
	redis_pid=$!
	wait_for redis_answers
}

redis_answers()
{
	[ "$(redis ping)" = PONG ]
}

redis_kill()
{
	kill -KILL "$redis_pid"
	wait "$redis_pid" 2>/dev/null
}

redis()
{
	redis-cli -s "$redis_socket" "$@" 2>&1
}

# events: what the stream holds, in its order, one event a line.
events()
{
	redis --raw xrange 'wirecue:triggers:{0}' - + | grep '^{'
}

# n_of TYPE: events of that type in the stream, "competitor.interest" for example.
n_of()
{
	events | fields type | grep -cFx "wirecue.$1.v1"
}

has() # TYPE
{
	[ "$(n_of "$1")" -gt 0 ]
}

n_events()
{
	redis xlen 'wirecue:triggers:{0}'
}

# fields FIELD...: of the JSON objects that come in, one a line; FIELD may be a path such as data.rule.id.
fields()
{
	/usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    row = []
    for path in sys.argv[1:]:
        value = json.loads(line)
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        row.append(value if isinstance(value, str) else json.dumps(value))
    print(*row)' "$@"
}

events_are_valid()
{
	events >"$dir/events"
	[ -s "$dir/events" ] && "$WIRECUE_TOP/tests/lint/schema.py" --events "$dir/events"
}

# The first number of every event is 1, each further one more, within the stream and within each type.
numbers_have_no_gap()
{
	events | fields sequence typesequence type | awk '
		$1 + 0 != NR || $2 + 0 != ++n[$3] { bad = 1; print "  gap: " $0 }
		END { exit bad || NR == 0 }'
}

no_event_stands_twice()
{
	[ -z "$(events | fields id | sort | uniq -d)" ]
}

# --- the daemon ---------------------------------------------------------------------------------

# people [SED...]: the five of the demo, told for good, after the edits.
people()
{
	sed -e 's/, until: [^,}]*//' "$@" "$pcaps/evening-subscribers.yaml" >"$dir/people.yaml"
}

# write_config DEVICE...: one port for each device, and everything a laboratory needs. More comes from standard input,
# where a scenario has something to add or rules to give.
write_config()
{
	local device n=0

	[ -e "$dir/people.yaml" ] || people
	{
		printf 'node: %s\nzone: Europe/Berlin\n' lab
		printf 'ports:\n'
		for device in "$@"; do
			printf '  - {name: port%d, device: "%s", role: tap}\n' $((++n)) "$device"
		done
		cat <<-END
			endpoints: {networks: [10.20.0.0/16, "2001:db8:20::/48"], ipv6_prefix: 64}
			binding: {sources: [static: people.yaml]}
			told: {files: [people.yaml]}
			redis: {url: "unix://$redis_socket"}
			workers: {flows: 64k}
		END
		if [ -t 0 ]; then true; else cat; fi
	} >"$config"
	grep -q '^store:' "$config" || printf 'store: {enabled: false}\n' >>"$config"
	grep -q '^privacy:' "$config" || printf 'privacy: {subject: plain}\n' >>"$config"
}

# tap IFACE: the device that sees what comes in on an interface. The ring holds four seconds of what send() sends: on a
# busy machine sender and daemon both have to wait for their turn. (net_pcap has room for 8 frames: docs/platform.md.)
tap()
{
	printf 'net_af_packet,iface=%s,framecnt=16384' "$1"
}

# start [ARG...]: until it is ready. As somebody else, where as=(setpriv …) says so.
as=()
start()
{
	: >"$log"
	"${as[@]}" "$dir/open/wirecue" run -c "$config" "$@" >>"$log" 2>&1 </dev/null &
	wirecue_pid=$!
	wait_for -t 20 is_ready_or_over
	if ! says ready; then
		not_ok "the daemon starts"
		exit 1
	fi
}

is_ready_or_over()
{
	says ready || ! kill -0 "$wirecue_pid"
}

# says WORD [TEXT]: the log has a line with that event word, and with that text.
says()
{
	awk -v word="$1" -v text="${2:-}" '$3 == word && index($0, text) { found = 1 } END { exit !found }' "$log"
}

# stop [SIGNAL]: and how it ended, in $status.
stop()
{
	kill -"${1:-TERM}" "$wirecue_pid"
	wait "$wirecue_pid" 2>/dev/null
	status=$?
}

show()
{
	"$WIRECUE" show "$@"
}

# frames OUTCOME: as the daemon's ledger says.
frames()
{
	show ledger total --json | fields what count | awk -v outcome="$1" '$1 == outcome { print $2 }'
}

has_received()
{
	[ "$(frames received)" = "$n_sent" ]
}

# Frames on their way to a worker are received and have no outcome yet: wait for it.
ledger_adds_up()
{
	show ledger total --json | fields what count | awk '
		{ n[$1] = $2 }
		$1 !~ /^(received|held|in_flight|balance|lost)$/ { sum += $2 }
		END { exit n["received"] == 0 || sum != n["received"] || n["held"] + n["in_flight"] + n["balance"] != 0 }'
}

# app NAME FIELD: 0 when nothing of it was seen.
app()
{
	show apps --json | fields app "$2" | awk -v app="$1" '$1 == app { n = $2 } END { print n + 0 }'
}

# The tick of the last packet is over: what workers have counted, control has, too.
all_are_told()
{
	ledger_adds_up && [ "$(show apps --json | fields packets | awk '{ n += $1 } END { print n + 0 }')" = \
		"$(show workers --json | fields packets | awk '{ n += $1 } END { print n + 0 }')" ]
}

# redis_says FIELD: of `show redis`.
redis_says()
{
	show redis --json | fields "$1"
}
