#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `wirecue show` says of a running daemon, as text and as JSON, and to whom.
. "${0%/*}/lib.sh"

veth va vb
redis_start
write_config "$(tap vb)" <<-END
	store: {path: $dir/store}
	rules: [{id: keep-them, detect: competitor, class: retention, purpose: retention, min_days: 1, visit_flows: 1}]
END
sed -i 's/sources: \[/sources: [radius, /' "$config"
start
for what in gaps apps triggers; do
	quiet show "$what"
	equal "show $what of nothing is nothing, and a sentence" "$status $(wc -c <"$dir/out") $(grep -c '^wirecue: no [^[:cntrl:]]* [a-z]*$' "$dir/err")" "0 0 1"
done
stop
start # so that there is a gap
send va "$pcaps/evening.pcap" --limit=8000
send va "$pcaps/recorded/tls-switch.pcap"
n_before=$n_sent
send va "$pcaps/qinq.pcap"
n_vlan=$((n_sent - n_before))
wait_for has_received
wait_for ledger_adds_up
wait_for has competitor.interest
wait_for eval '[ "$(redis_says waiting)" = 0 ]'

check "without a word, show lists what can be shown" eval 'show | grep -q "^ledger "'
for what in $(show --json | fields name); do
	words=("$what")
	[[ $what != @(diff|flow) ]] || continue # of what is staged, and of one flow: diff.sh
	[ "$what" != subscriber ] || words+=("msisdn:+99900000001")
	check "show $what has a header and a record" eval '[ "$(show "${words[@]}" | wc -l)" -ge 2 ]'
	check "show $what --json is objects, one a line" eval 'show "${words[@]}" --json | fields x >/dev/null'
done
equal "what has no app has no category" "$(show apps --json | fields app category | grep ^unknown)" "unknown null"
check "which text shows as -" eval 'show apps | grep -qE "^unknown +- +[0-9]"'
equal "the port has the name that it was given" "$(show ports --json | fields port state)" "port1 up"
equal "the node has its name, its process and its length of a tick" \
	"$(show node --json | fields node pid tick_ms)" "lab $wirecue_pid 1000"
check "its clock goes on" eval '[ "$(show node --json | fields uptime_us)" -lt "$(show node --json | fields uptime_us)" ]'
check "bytes of an app are those up and those down" eval \
	'show apps --json | fields bytes up_bytes down_bytes | awk "\$1 != \$2 + \$3 { bad = 1 } \$2 > 0 && \$3 > 0 { n++ } END { exit bad || !n }"'
equal "worker and ledger agree" "$(show workers --json | fields packets)" "$(frames accounted)"
check "a worker says how long it was away from its input" eval \
	'show workers --json | fields busy_ms longest_us | awk "\$1 > 0 && \$2 > 0 { ok = 1 } END { exit !ok }"'
check "and how much of the work is its own" eval \
	'show workers --json | fields of_mean over_65us disturbed | grep -qE "^[0-9.]+ [0-9]+ [0-9]+$"'
equal "quality has two sides in two spans" "$(show quality --json | fields span side)" \
	"$(printf 'start endpoints\nstart network\nminute endpoints\nminute network')"
check "and has seen segments of both" eval '[ "$(show quality --json | fields segments | head -n 2 | grep -cv "^0$")" = 2 ]'
equal "the ledger adds up in one line" \
	"$(show ledger total --json | fields what count meaning | grep ^balance)" \
	"balance 0 it adds up: received = outcomes + held + in_flight"
equal "a part of it can be asked for" "$(show ledger fragments --json | fields part | sort -u)" fragments
equal "fragments are no frames: one has two of them where a tunnel's packets and those inside are in pieces" \
	"$(show ledger fragments --json | fields what unit | grep -E '^(seen|repeated) ')" \
	"$(printf 'seen fragments\nrepeated fragments')"
equal "a report says it too" "$("$WIRECUE" replay --no-redis "$pcaps/fragments/nested.pcap" |
	awk '$1 == "capture" { print $2, $3 } $1 $2 == "fragmentsseen" { print $3, $4 }')" \
	"$(printf '44 frames,\n48 fragments')"
equal "or one port's" "$(show ledger port:port1 --json | fields part what count | grep received)" \
	"port:port1 received $n_sent"
equal "each worker's share of it" "$(show ledger worker --json | fields part what | grep accounted)" \
	"$(show workers --json | fields worker | sed 's/.*/worker:& accounted/')"
# parts PREFIX WHAT...: the sum of these rows of all parts that begin so.
parts()
{
	local prefix=$1

	shift
	show ledger "$prefix" --json | fields what count |
		awk -v all=" $* " 'index(all, " " $1 " ") { n += $2 } END { print n + 0 }'
}

outcomes="accounted not_ip unsupported truncated malformed too_deep queue_full no_room ignored duplicate"
# shellcheck disable=SC2086 # words
equal "what ports received was handed on or has an outcome there" "$(parts port received)" \
	"$(parts port handed_on held $outcomes)"
# shellcheck disable=SC2086 # words
equal "what they handed on has an outcome with a worker" "$(parts port handed_on)" "$(parts worker $outcomes)"
equal "what was opened is named" "$(show ledger encapsulation:vlan --json | fields what count)" "opened $n_vlan"
equal "text and JSON have the same rows" "$(show ledger | wc -l)" "$(($(show ledger --json | wc -l) + 1))"
check "and the same columns" eval 'show ledger | head -n 1 | grep -Eq "^part +what +count +unit +meaning$"'
ends "a part that there is not is a usage error" 2 'ledger: nothing of that name' "$WIRECUE" show ledger fragment
equal "the trigger is decided" "$(show triggers --json | fields state name count | head -n 1)" \
	"decided wirecue.competitor.interest.v1 1"
equal "and published" "$(redis_says published) $(redis_says waiting)" "1 0"
equal "an app's category comes with it" "$(show apps --json | fields app category | grep rival)" \
	"rival-mobile competitor"
for id in msisdn:+99900000001 imsi:001010000000001 account:demo-1; do
	check "a subscriber is found by ${id%%:*}" matches "$(show subscriber "$id" --json)" '"app":"rival-mobile"'
done
ends "who is told and was not seen is known" 1 'told, but not seen' \
	"$WIRECUE" show subscriber msisdn:+99900000005

ends "nobody knows a stranger" 1 'nothing is known of that subscriber' "$WIRECUE" show subscriber msisdn:+99900000099
ends "a wrong word is a usage error" 2 'nothing of that name' "$WIRECUE" show nonsense
ends "so is a missing ID" 2 'subscriber: no ID' "$WIRECUE" show subscriber
ends "another user is refused to change something" 1 "no permission to change something of .*: be root, or the daemon's own user" \
	"${nobody[@]}" "$dir/open/wirecue" apps rollback
ends "another user is refused" 1 'no permission to ask .*: be root, or of the daemon' \
	"${nobody[@]}" "$dir/open/wirecue" show ledger
chmod 666 /run/wirecue/control.sock
ends "whatever the file's mode says" 1 "only root and the daemon's own user or group" \
	"${nobody[@]}" "$dir/open/wirecue" show ledger
check "the log tells of it, without naming anybody" says control_refused "nor the daemon's user or group"
check "its group is answered" quiet setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" show ledger
ends "a socket that is not there is one sentence" 1 "no wirecue answers on '/nowhere/x.sock'" \
	"$WIRECUE" show ledger --socket /nowhere/x.sock
stop
