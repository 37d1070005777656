#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A hundred catalogues in a row, committed and rolled back under traffic: not a frame, a byte or a flow is lost or counted
# twice, and all that the changes are not about is as without them.
. "${0%/*}/lib.sh"

N_SWAPS=100
LOOPS=20 # of each capture, between two looks at whether it is enough

# catalogue FILE APP: the shipped one, but that what rival-mobile has belongs to APP.
catalogue()
{
	sed "s/name: rival-mobile$/name: $2/" "$WIRECUE_TOP/control/catalogue/apps.yaml" >"$1"
}

# rounds CAPTURE N: N times LOOPS of it; adds how many frames were sent to $dir/NAME.sent.
rounds()
{
	local name=${1##*/}

	# It empties the file that it writes to.
	tcpreplay -i va --pps="$pps" --loop=$((LOOPS * $2)) "$1" 2>&1 | cat >"$dir/$name.log"
	awk '$1 $2 == "Successfulpackets:" { print $3 }' "$dir/$name.log" >>"$dir/$name.sent"
}

# play CAPTURE: until it is enough; how many rounds stands in $dir/NAME.rounds.
play()
{
	local n=0

	until [ -e "$dir/enough" ]; do
		rounds "$1" 1
		n=$((n + 1))
	done
	echo "$n" >"$dir/${1##*/}.rounds"
}

# play_again CAPTURE: as many rounds as play() took.
play_again()
{
	rounds "$1" "$(cat "$dir/${1##*/}.rounds")"
}

# all COMMAND: for each capture at once; what was sent stands in n_sent.
all()
{
	local capture players=()

	rm -f "$dir"/*.sent
	for capture in "${captures[@]}"; do
		"$1" "$capture" &
		players+=($!)
	done
	wait "${players[@]}"
	n_sent=$(cat "$dir"/*.sent | awk '{ n += $1 } END { print n }')
}

# usage: of each app bytes, packets and flows, what belongs to first or second as one.
usage()
{
	show apps --json | fields app bytes packets flows |
		awk '{ $1 = $1 == "second" ? "first" : $1; for (i = 2; i <= 4; i++) n[$1, i] += $i; apps[$1] }
		     END { for (a in apps) print a, n[a, 2], n[a, 3], n[a, 4] }' | sort
}

sum() # FIELD: of all workers
{
	show workers --json | fields "$1" | awk '{ n += $1 } END { print n }'
}

walks_are_over()
{
	[ "$(sum to_resolve)" = 0 ]
}

# swap_often: begins when there are flows, and says when it is enough.
swap_often()
{
	local n=1

	trap 'touch "$dir/enough"' EXIT
	wait_for eval '[ "$(app first flows)" -gt 20 ]'
	quiet "$WIRECUE" apps stage "$dir/second.yaml" && quiet "$WIRECUE" apps commit || n=0
	# What is in force already is no change: version 1 and 2 in turns.
	while [ "$n" -gt 0 ] && [ "$n" -lt "$N_SWAPS" ] && quiet "$WIRECUE" apps rollback $((2 - n % 2)); do
		n=$((n + 1))
	done
	echo "$n" >"$dir/swaps"
}

captures=("$pcaps/recorded/tls-rival.pcap" "$pcaps/quic.pcap")
veth va vb
redis_start
catalogue "$dir/apps.yaml" first
catalogue "$dir/second.yaml" second
write_config "$(tap vb)" <<-END
	apps: apps.yaml
	store: {path: $dir/store}
END
start
swap_often &
swapper=$!
all play
wait "$swapper"
equal "$N_SWAPS catalogues were in force one behind the other" "$(cat "$dir/swaps") $(show workers --json | fields catalogues | sort -u)" "$N_SWAPS $N_SWAPS"
wait_for -t 30 has_received
ok "no frame was lost over it ($n_sent)"
wait_for ledger_adds_up
ok "each has one outcome"
wait_for walks_are_over
equal "no flow was left as it was for want of room" "$(sum resolve_refused)" 0
check "living flows were judged anew" [ "$(sum resolved_again)" -gt 0 ]
check "both catalogues had their share" eval '[ "$(app first bytes)" -gt 0 ] && [ "$(app second bytes)" -gt 0 ]'
wait_for all_are_told
usage >"$dir/disturbed"
stop

rm -rf "$dir/store"
start
all play_again
wait_for -t 30 has_received
wait_for ledger_adds_up
wait_for all_are_told
usage >"$dir/undisturbed"
equal "bytes, packets and flows of each app are those of a run without a change" "$(cat "$dir/disturbed")" "$(cat "$dir/undisturbed")"
check "of more than the one" [ "$(wc -l <"$dir/undisturbed")" -gt 2 ]
