#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `wirecue top` says of a running daemon: rates that are what was sent, a screen that is drawn and given back.
. "${0%/*}/lib.sh"

command -v tmux >/dev/null || skip "tmux is not installed" # a terminal that tells what is on it

veth va vb
redis_start
write_config "$(tap vb)" net_af_packet,iface=nowhere <<-END
	store: {path: $dir/store}
	rules: [{id: keep-them, detect: competitor, class: retention, purpose: retention, min_days: 1, visit_flows: 1}]
END

ends "nobody to ask is one sentence" 1 "no wirecue answers on '/run/wirecue/control.sock'" "$WIRECUE" top --batch
start

ends "without a terminal it wants --batch" 2 'are no terminal; --batch' "$WIRECUE" top
ends "and options that only --batch has want it" 2 "'--json' without --batch" "$WIRECUE" top --json
ends "an interval is within reason" 2 'expected seconds from 0.2 to 3600' "$WIRECUE" top --batch --interval 0
ends "there is nothing behind the options" 2 "'ports' is too much" "$WIRECUE" top --batch ports

# --- lines ------------------------------------------------------------------------------------

# n_lines FILE N: at least so many.
n_lines()
{
	[ "$(wc -l <"$1")" -ge "$2" ]
}

"$WIRECUE" top --batch --json --interval 0.3 --apps 4096 >"$dir/batch" &
batch_pid=$!
wait_for grep -q '"up_bps":[0-9]' "$dir/batch" # a tick is complete: from here on apps have a time of their own
send va "$pcaps/evening.pcap" --limit=6000
send va "$pcaps/recorded/tls-switch.pcap"
wait_for has_received
wait_for ledger_adds_up
wait_for has competitor.interest
wait_for n_lines "$dir/batch" $(($(wc -l <"$dir/batch") + 8)) # two ticks, and one more
kill "$batch_pid"
wait "$batch_pid" 2>/dev/null

# Rates times the time they are of, all intervals together: frames, bytes on the wire, bytes of apps.
sums()
{
	/usr/bin/python3 -c '
import datetime, json, sys
frames = wire = apps = 0
before = None
for line in sys.stdin:
    o = json.loads(line)
    s = o["node"]["seconds"]
    if o["throughput"]["up_bps"] is None:
        continue
    frames += s * o["throughput"]["frames_ps"]
    wire += s * o["throughput"]["wire_bps"] / 8
    at = datetime.datetime.fromisoformat(o["node"]["watermark"][:-1])
    if before is not None and at > before:
        t = o["throughput"]
        apps += (at - before).total_seconds() * (t["up_bps"] + t["down_bps"]) / 8
    before = at
print(round(frames), round(wire), round(apps))' <"$1"
}

total_of() # WHAT FIELD
{
	show "$1" --json | fields "$2" | awk '{ n += $1 } END { print n + 0 }'
}

equal "rates of all intervals make up what was sent: frames, bytes, bytes of apps" \
	"$(sums "$dir/batch")" "$n_sent $(total_of ports bytes) $(total_of apps bytes)"
check "apps of the last line are those that were seen" eval \
	'[ "$(tail -n 1 "$dir/batch" | /usr/bin/python3 -c "import json, sys; print(len(json.load(sys.stdin)[\"apps\"]))")" = "$(show apps --json | wc -l)" ]'
equal "the trigger is told, of the last minutes" "$(tail -n 1 "$dir/batch" | /usr/bin/python3 -c '
import json, sys
print(*[t["lately"] for t in json.load(sys.stdin)["triggers"] if t["state"] == "decided"])')" 1
check "the port that is down is an alarm" matches "$(tail -n 1 "$dir/batch")" '"severity":"bad","text":"port port2 down: '
"$WIRECUE" top --batch -n 2 --interval 0.2 >"$dir/lines"
check "as text a record a line" eval \
	'! grep -vE "^20[0-9-]+T[0-9:.]+Z [a-z]+( [a-z_]+=([^ \"]+|\"([^\"\\\\]|\\\\.)*\"))+$" "$dir/lines"'
equal "-n ends it" "$(grep -c ' throughput ' "$dir/lines")" 2

# --- a screen ---------------------------------------------------------------------------------

n_terminals=0
terminal()
{
	tmux -f /dev/null -S "$dir/tmux.$n_terminals" "$@"
}

# new_terminal COMMAND: of 80x24, in place of the one before.
new_terminal()
{
	terminal kill-server 2>/dev/null
	n_terminals=$((n_terminals + 1)) # the one before may still be about to end
	terminal new-session -d -x 80 -y 24 "$@"
}

# on_screen [ARG...]: top in a terminal of 80x24, as a shell would run it, which notes what it left behind.
on_screen()
{
	cat >"$dir/shell" <<-END
		printf 'before top\n'
		stty -a >$dir/stty.before
		${top_env:-} $WIRECUE top --interval 0.2 $*
		printf '%s\n' "\$?" >$dir/status
		stty -a >$dir/stty.after
		exec sleep 600
	END
	rm -f "$dir/status" "$dir/stty.after"
	new_terminal "TERM=xterm-256color LC_ALL=C.UTF-8 bash $dir/shell"
	wait_for on 'wirecue lab'
}

screen()
{
	terminal capture-pane -p "$@"
}

# on TEXT [CAPTURE-ARG...]: it stands on the screen.
on()
{
	local text=$1
	shift

	screen "$@" | grep -qF -- "$text"
}

# is_given_back: nothing of the screen is left, and the terminal is set as it was.
is_given_back()
{
	[ -s "$dir/stty.after" ] && cmp -s "$dir/stty.before" "$dir/stty.after" && on 'before top' && ! on 'wirecue lab' &&
		[ "$(terminal display-message -p '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}

top_pid()
{
	pgrep -f "^$WIRECUE top --interval" | head -n 1
}

on_screen
for text in '!! port port2 down: ' 'port1 ' 'rival-mobile' 'wirecue.competitor.interest.v1' 'redis ready' '[overview]'; do
	wait_for on "$text"
	ok "the screen has '$text'"
done
equal "a screen is as high as the terminal" "$(screen | wc -l)" 24
check "what is wrong is red" eval 'screen -e | grep -q "$(printf "\033")\\[[0-9;]*31m.*port2 down"'
terminal send-keys h
wait_for on 'go on'
ok "h tells the keys"
terminal send-keys h Tab
wait_for on '[trouble]'
wait_for on 'not_ip'
ok "tab goes to the next pane"
terminal send-keys BTab s +
wait_for on 's sort: total  +/- 0.4 s'
ok "s and + change what they say"
terminal resize-window -x 40 -y 10
wait_for eval '[ "$(screen | wc -l)" = 10 ] && on "wirecue lab" && on "[overview]"'
check "a small terminal has the essentials" eval 'on "down " && on "APP" && on "!! port port2"'
terminal resize-window -x 120 -y 40
wait_for on 'CATEGORY'
ok "a large one has more columns"
terminal resize-window -x 80 -y 24

kill -STOP "$wirecue_pid"
wait_for -t 6 on 'it was asked and says nothing' # before patience with it is over
ok "a daemon that is stopped is said within seconds"
kill -CONT "$wirecue_pid"
wait_for eval '! on "no answer"'
ok "and that it answers again"

stop KILL
wait_for on '!! no answer for'
ok "a daemon that is away is said"
start
wait_for -t 20 on 'wirecue was started anew'
check "so is one that was started anew, and no rate is negative" eval '! screen | grep -E " -[0-9]"'
terminal send-keys q
wait_for is_given_back
equal "q ends it in order" "$(cat "$dir/status")" 0

for signal in TERM INT HUP; do
	on_screen
	kill -"$signal" "$(top_pid)"
	wait_for is_given_back
	equal "SIG$signal gives the terminal back" "$(cat "$dir/status")" $((128 + $(kill -l "$signal")))
done

top_env='NO_COLOR=1' on_screen
wait_for on '!! port port2 down: '
check "with NO_COLOR there is no colour" eval '! screen -e | grep -q "$(printf "\033")\\[[0-9;]*3[0-7]m"'
terminal send-keys q
wait_for is_given_back

# (What ncurses keeps of a terminal that it does not know is not ours to free.)
cat >"$dir/shell" <<-END
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 TERM=unheard-of $WIRECUE top 2>$dir/said
	printf '%s\n' "\$?" >$dir/status
	exec sleep 600
END
rm -f "$dir/status"
new_terminal "bash $dir/shell"
wait_for test -s "$dir/status"
check "a terminal that nobody knows is one sentence" matches "$(cat "$dir/status") $(cat "$dir/said")" \
	"^1 wirecue: nothing is known of a terminal of type 'unheard-of': [^[:cntrl:]]*$"
terminal kill-server
stop
