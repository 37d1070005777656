#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Killed, signalled, left by its readers and started again: nothing is left behind, numbers go on.
. "${0%/*}/lib.sh"

steps() # CAP: a trigger for each percent of it
{
	people -e "s/cap: 300MB, anchor/cap: $1, anchor/"
	write_config "$(tap vb)" <<-END
		tick: 100ms
		rules:
		  - {id: cap, detect: near_cap, class: service, emit: [threshold], steps: [$(seq -s '%, ' 1 100)%]}
	END
}

all_is_delivered()
{
	has_received && [ "$(redis_says waiting)" = 0 ]
}

veth va vb
redis_start
steps 1MB

# Bit 0 of SigCgt: a handler for SIGHUP stands, long before the ports are open.
begin()
{
	: >"$log"
	"$WIRECUE" run -c "$config" >>"$log" 2>&1 &
	wirecue_pid=$!
	wait_for test "/proc/$wirecue_pid/exe" -ef "$WIRECUE"
	wait_for awk '$1 == "SigCgt:" { exit substr($2, 16) !~ /[13579bdf]/ }' "/proc/$wirecue_pid/status"
}

begin
kill -HUP "$wirecue_pid"
wait_for says reloaded
ok "SIGHUP while it starts is a reload, afterwards"
stop
begin
stop
equal "SIGTERM while it starts ends it with success" "$status" 0
# Who may not be dumped leaves no core, which would hold identifiers, and belongs to root in /proc: see proc(5).
mkfifo "$dir/fifo"
"${nobody[@]}" "$dir/open/wirecue" replay --no-redis "$dir/fifo" 2>/dev/null &
wait_for test "/proc/$!/exe" -ef "$dir/open/wirecue"
wait_for eval '[ "$(stat -c %u /proc/'"$!"'/mem)" = 0 ]'
ok "it leaves no core"
kill -KILL $!
wait $! 2>/dev/null

start
send va "$pcaps/evening.pcap" --limit=6000 &
sender=$!
wait_for eval '[ "$(n_events)" -gt 3 ]'
stop KILL
check "killed under traffic, it leaves its socket" test -S /run/wirecue/control.sock
wait "$sender"
n_before=$(n_events)
start
ok "which the next one replaces"
n_sent=0
send va "$pcaps/evening.pcap" --limit=6000
wait_for all_is_delivered
check "its triggers come behind those of the first" test "$(n_events)" -gt "$n_before"
check "without a gap in the numbers" numbers_have_no_gap
stop
equal "and it ends with success" "$status" 0
start
check "after an orderly stop" eval '[ "$(redis_says state)" != conflict ]'
n_sent=0
send va "$pcaps/evening.pcap" --limit=2000
wait_for all_is_delivered
check "they go on as well" numbers_have_no_gap

# Readers that go away in the middle of an answer.
for _ in $(seq 20); do
	show apps --json | true
	printf '{"cmd":"show","what":"apps"}\n' | timeout 5 /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/wirecue/control.sock")
s.sendall(sys.stdin.buffer.read() * 50)'
done
kill -PIPE "$wirecue_pid"
kill -HUP "$wirecue_pid"
wait_for says reloaded
check "readers that go away do not end it" quiet show ledger
show apps --json 2>"$dir/err" | true
equal "and hear no complaint" "$(cat "$dir/err")" ''
for _ in 1 2 3; do
	kill -TERM "$wirecue_pid" 2>/dev/null
done
wait "$wirecue_pid"
equal "told thrice to stop it ends with success" "$?" 0
check "and is gone with its socket" test ! -e /run/wirecue/control.sock
