#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a staged catalogue would change of a running daemon's flows: held against captures, against what a commit then
# does, and by whom it may be asked.
. "${0%/*}/lib.sh"

# diff_to NAME [ARG...]: the answer as $dir/NAME.json.
diff_to()
{
	"$WIRECUE" apps diff --json "${@:2}" >"$dir/$1.json"
}

# total NAME KEY...: of that answer.
total()
{
	fields "${@:2}" <"$dir/$1.json"
}

# changes NAME KEY...: a line for each of its changes.
changes()
{
	/usr/bin/python3 -c '
import json, sys
with open(sys.argv[1]) as answer:
    print(*sorted(" ".join(str(c[k]) for k in sys.argv[2:]) for c in json.load(answer)["changes"]), sep="\n")' \
		"$dir/$1.json" "${@:2}"
}

was=(was was_category was_tag was_strength)
becomes=(becomes category tag strength)

resolved()
{
	show workers --json | fields to_resolve resolved_again | awk '{ left += $1; n += $2 } END { print left == 0 ? n + 0 : 0 }'
}

has_resolved()
{
	[ "$(resolved)" -gt 0 ]
}

veth va vb
for name in apps.yaml changed.yaml video.txt; do
	cp "$pcaps/workbench/$name" "$dir/"
done
write_config "$(tap vb)" <<-END
	apps: apps.yaml
	store: {path: $dir/store}
END
start
ends "nothing staged is nothing to compare with" 1 'nothing is staged: `wirecue apps stage FILE` comes first' "$WIRECUE" apps diff
ends "a catalogue without captures is not what a daemon is asked about" 2 "'x.yaml' without --on: expected --on CAPTURE" "$WIRECUE" apps diff x.yaml
ends "nor does it tell single flows" 2 '[-]-flows without --on' "$WIRECUE" apps diff --flows "$dir/flows"

# Flows that live, against a replay of the same frames.
"$WIRECUE" apps stage "$dir/changed.yaml" >/dev/null
send va "$pcaps/evening.pcap" --limit=20000
wait_for has_received
editcap -r "$pcaps/evening.pcap" "$dir/evening.pcap" 1-20000
diff_to live
diff_to replayed "$dir/changed.yaml" -c "$config" --on "$dir/evening.pcap"
check "something changes" test "$(total live flows.changed)" -gt 10
equal "as in a replay of the same frames" "$(changes live "${was[@]}" "${becomes[@]}" flows subscribers examples)" \
	"$(changes replayed "${was[@]}" "${becomes[@]}" flows subscribers examples)"
equal "of as many flows" "$(total live flows.all flows.changed)" "$(total replayed flows.all flows.changed)"
equal "all bytes are those of the ledger" "$(total live bytes.all)" "$(show workers --json | fields ip_bytes)"
equal "the answer names both catalogues" "$(total live catalogue.version catalogue.file staged.version staged.file)" \
	"1 $dir/apps.yaml 2 $dir/changed.yaml"
equal "and where it has looked" "$(($(total live looked_at.living) + $(total live looked_at.ended))) $(total live looked_at.undecided looked_at.missed)" \
	"$(total live flows.all) 0 0"
"$WIRECUE" apps diff >"$dir/live.txt"
"$WIRECUE" apps diff "$dir/changed.yaml" -c "$config" --on "$dir/evening.pcap" >"$dir/replayed.txt"
equal "its text has the columns of that of captures" "$(sed -n 2p "$dir/live.txt" | tr -s ' ')" \
	"$(sed -n 2p "$dir/replayed.txt" | tr -s ' ')"
check "its last line says what was looked at" matches "$(tail -n 1 "$dir/live.txt")" '^looked at: [0-9]+ flows that live'
check "and no line has an address" eval '! grep -qE "(10\.20|198\.51|203\.0)\.|2001:db8" "$dir/live.txt" "$dir/live.json"'

# One flow of them: the draft is that of a capture.
"$WIRECUE" replay -c "$config" --no-redis --flows "$dir/flows.jsonl" "$dir/evening.pcap" >/dev/null
flow=$(fields host l4 src sport dst dport <"$dir/flows.jsonl" | awk '$1 == "mirror.example.net" && $2 == "tcp" { print $2 ":" $3 ":" $4 "-" $5 ":" $6; exit }')
quiet "$WIRECUE" apps wrong "$flow" mirrors --to "$dir/samples" -c "$config" --on "$dir/evening.pcap"
grep -v '^#' "$dir/out" >"$dir/draft"
quiet "$WIRECUE" apps wrong "$flow" mirrors
equal "a rule is drafted for a flow that lives, as for one of a capture" "$status $(grep -v '^#' "$dir/out")" "0 $(cat "$dir/draft")"
check "is something" test -s "$dir/draft"
check "from the catalogue in force" grep -q "$dir/store/catalogues/000001/apps.yaml:" "$dir/out"
check "and where packets are to be had is said" matches "$(tail -n 1 "$dir/out")" '^# no sample: .*--on CAPTURE'
quiet "$WIRECUE" apps wrong "$flow" mirrors --json
equal "as JSON it has no sample" "$(fields host sample remedy.key remedy.value <"$dir/out")" "mirror.example.net null hosts mirror.example.net"
ends "a flow that nobody knows is said to be none" 1 'no such flow lives or has ended' "$WIRECUE" apps wrong tcp:10.20.0.1:1-203.0.113.9:443 mirrors
ends "what is no flow is a usage error, and not repeated" 2 'flow: expected a flow of TCP or UDP as `wirecue show flows` has it' "$WIRECUE" apps wrong 10.20.0.1 mirrors
ends "packets that have passed are not kept" 2 '[-]-to without --on' "$WIRECUE" apps wrong "$flow" mirrors --to "$dir/samples"
ends "members of the group may not ask for single flows" 1 "only root and the daemon's own user may ask for single flows" \
	setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" apps wrong "$flow" mirrors

# A commit does what was said.
"$WIRECUE" apps commit >/dev/null
wait_for has_resolved
ok "a commit has flows that live resolved again" # some may have ended since
ends "then nothing is staged" 1 'nothing is staged' "$WIRECUE" apps diff
"$WIRECUE" apps stage "$dir/apps.yaml" >/dev/null
diff_to back
equal "the way back is the mirror image: each flow is what was said" \
	"$(changes back "${becomes[@]}" "${was[@]}" flows bytes subscribers)" "$(changes live "${was[@]}" "${becomes[@]}" flows bytes subscribers)"
"$WIRECUE" apps stage "$dir/changed.yaml" >/dev/null
diff_to none
equal "what is in force already changes nothing" "$(total none flows.changed) $(changes none was)" "0 "

# Flows that ended count for what they would be now, though they ended before.
"$WIRECUE" apps rollback >/dev/null
"$WIRECUE" apps stage "$dir/changed.yaml" >/dev/null
send va "$pcaps/evening.pcap" --limit=20000 # connections that begin anew end those before
wait_for has_received
diff_to ended
check "flows that have ended are looked at, too" test "$(total ended looked_at.ended)" -gt 10
equal "all of them" "$(total ended flows.all)" "$(($(total ended looked_at.living) + $(total ended looked_at.ended)))"
equal "with all bytes" "$(total ended bytes.all)" "$(show workers --json | fields ip_bytes)"
equal "and as much of each change again" "$(changes ended "${was[@]}" "${becomes[@]}" subscribers)" \
	"$(changes live "${was[@]}" "${becomes[@]}" subscribers)"
equal "in bytes" "$(total ended bytes.changed)" "$((2 * $(total live bytes.changed)))"
check "and how long back is said" matches "$(total ended looked_at.since)" '^20.*Z$'

# Who may, and what else is asked.
chmod 755 "$dir"
check "members of the group may ask: it has sums alone" quiet setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" apps diff
ends "a number that is none is a usage error" 2 'diff: expected nothing, or the number' "$WIRECUE" show diff x
ends "one of long ago is said to be gone" 1 'nothing is known of that any more' "$WIRECUE" show diff 999
check "several who ask at once are all answered" eval '
	for n in 1 2 3 4; do "$WIRECUE" apps diff --json >"$dir/many-$n" 2>&1 & done; wait $(jobs -p | tail -n 4)
	[ "$(cat "$dir"/many-? | fields staged.version | sort -u)" = 3 ]'
stop
equal "it ends with success" "$status" 0
