#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Single flows of a running daemon, and what of them has no app: found, told apart, bounded, and not told to everybody.
. "${0%/*}/lib.sh"

apps()
{
	"$WIRECUE" apps "$@"
}

# flows FIELD… [-- OPTION…]: of the rows.
flows()
{
	local fields=()

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		fields+=("$1")
		shift
	done
	show flows --json "${@:2}" | grep -v '^{"summary"' | fields "${fields[@]}"
}

# sum FIELD [OPTION…]: of the last line.
sum()
{
	show flows --json "${@:2}" | grep '^{"summary"' | fields "$1"
}

# ended: how many flows have.
ended()
{
	sum ended --top 1
}

veth va vb
redis_start
(umask 077 && openssl rand -hex 32 >"$dir/pseudonym.key")
write_config "$(tap vb)" <<-END
	privacy: {subject: msisdn, key_file: pseudonym.key}
	flows: {recent: 100}
END
start
check "before the first packet there is no flow" eval 'show flows | grep -q "^# 0 flows of 0: 0 live, 0 ended since 20"'
send va "$pcaps/evening.pcap" --limit=8000
send va "$pcaps/recorded/tls-rival.pcap"
wait_for has_received
wait_for ledger_adds_up

# What the ledger, the sums by app and the flows say.
equal "all flows are there" "$(sum flows)" "$(show workers --json | fields flows)"
equal "each is a row" "$(flows flow | sort -u | wc -l)" "$(sum flows)"
equal "with all packets" "$(sum packets)" "$(show workers --json | fields packets)"
equal "and all bytes" "$(show flows --json | grep '^{"summary"' | fields up_bytes down_bytes | awk '{ print $1 + $2 }')" \
	"$(show workers --json | fields ip_bytes)"
check "most bytes first" eval 'flows up_bytes down_bytes | awk "{ print \$1 + \$2 }" | sort -nrc'
equal "of them so many as are asked for" "$(flows flow -- --top 3 | wc -l) $(sum shown --top 3) $(sum flows --top 3)" "3 3 $(sum flows)"
for app in $(flows app | sort -u); do
	wait_for eval '[ "$(sum packets --app '"$app"')" = "$(app '"$app"' packets)" ]'
	ok "the flows of $app have its packets"
	equal "and are its alone" "$(flows app -- --app "$app" | sort -u)" "$app"
done

# Filters.
equal "a name and those below it" "$(flows host -- --host rival-mobile.example | sort -u)" "$(flows host | grep -E '(^|\.)rival-mobile\.example$' | sort -u)"
check "of which there are some" [ "$(sum flows --host rival-mobile.example)" -gt 0 ]
equal "but not on half a label" "$(sum flows --host ival-mobile.example)" 0
equal "evidence" "$(flows evidence -- --evidence sni | sort -u)" sni
equal "both" "$(sum flows --evidence dns --host rival-mobile.example)" "$(flows evidence host alias | grep -c '^dns .*rival-mobile.example')"
ends "an app that is none" 2 "--app 'nope', expected a name of the catalogue in force, unknown or undecided" "$WIRECUE" show flows --app nope
ends "a name that is none" 2 "--host 'a b', expected" "$WIRECUE" show flows --host 'a b'
ends "evidence that is none" 2 "--evidence 'x', expected sni, quic, http" "$WIRECUE" show flows --evidence x
ends "an endpoint that is none" 2 "--endpoint: expected an address of a subscriber" "$WIRECUE" show flows --endpoint 10.20
ends "a number of rows that is none" 2 "--top: expected a number from 1 to 10000" "$WIRECUE" show flows --top 0
ends "an option that ports do not have" 2 "ports: it has no such option" "$WIRECUE" show ports --app netflix

# Who is who.
name=$(flows endpoint -- --top 1)
check "a subscriber is a pseudonym" matches "$name" '^endpoint:[a-z2-7]{16}$'
check "in each flow" eval '[ "$(flows flow | grep -cv endpoint:)" = 0 ]'
equal "no address of a subscriber is in the answer" "$(show flows --json | grep -c '10\.20\.')" 0
equal "who is asked for by it" "$(flows endpoint -- --endpoint "$name" | sort -u)" "$name"
quiet "$WIRECUE" replay --no-redis --flows "$dir/flows.jsonl" "$pcaps/recorded/tls-rival.pcap"
address=$(fields endpoint <"$dir/flows.jsonl" | grep '^10\.20\.' | head -n 1)
check "the capture has a subscriber" [ -n "$address" ]
equal "or by his address" "$(flows endpoint -- --endpoint "$address" | sort -u)" "$address"
check "which then is in his flows" eval 'flows flow -- --endpoint "$address" | grep -F "$address:" >/dev/null'
n_lost=0
for n in $(seq 60); do # of each length: what failed in the middle is no more in the stream at the end
	show flows --top "$n" --json >/dev/full 2>"$dir/err" && n_lost=$((n_lost + 1))
done
equal "no answer that cannot be written is a success" "$n_lost" 0
check "a network's subscribers keep their pseudonyms" eval '[ "$(flows flow -- --endpoint 10.0.0.0/8 | grep -c endpoint:)" -gt 1 ]'
check "of an address that is nobody's it is said" matches "$(show flows --endpoint 192.0.2.1 | tail -n 1)" \
	'^# 0 flows \(--endpoint lies outside endpoints.networks\) of '
check "such a flow is a word for apps wrong" eval 'flows flow -- --endpoint "$address" --app rival-mobile | sed -n 1p | grep -E "^tcp:[0-9.]+:[0-9]+-[0-9.]+:443$" >/dev/null'
ends "who is not root sees none" 1 "single flows are shown to root and the daemon's own user only" \
	setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" show flows
check "but what is unknown" quiet setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" show unknown

# What has no app.
quiet apps unknown --json
equal "the unknown have the bytes that the app 'unknown' has" \
	"$(grep '"kind":"unknown"' "$dir/out" | fields bytes)" "$(app unknown bytes)"
equal "and all have all" "$(grep '"kind":"all"' "$dir/out" | fields bytes flows)" "$(show workers --json | fields ip_bytes flows)"
cp "$dir/out" "$dir/unknown.json"
equal "show unknown has the same rows" "$(show unknown --json | grep -v '^{"summary"')" "$(grep -v '^{"summary"' "$dir/unknown.json")"
quiet apps unknown --top 1
equal "a table has a row, the others, the sums and how far it reaches" "$(awk '{ print /^#/ ? $1 : $5 }' "$dir/out" | paste -sd' ')" "kind host others unknown all #"
check "a name that one subscriber has shown is not told" eval '! grep -qE "(mirror|downloads)\.example" "$dir/unknown.json"'
quiet apps unknown --draft
check "the draft is entries" grep -q '^  - name: example' "$dir/out"
{
	cat "$WIRECUE_TOP/control/catalogue/apps.yaml"
	cat "$dir/out"
} >"$dir/drafted.yaml"
check "that the catalogue takes as they are" quiet apps stage "$dir/drafted.yaml"
check "and commits" quiet apps commit --why "drafted"
wait_for eval '[ "$(show workers --json | fields to_resolve)" = 0 ]'
equal "then nothing with a name is unknown" "$(apps unknown --json | fields kind | grep -cE '^(host|shared)$')" 0
check "nor among flows" eval '[ "$(flows app -- --host example.net | sort -u)" != unknown ]'
ends "--names is for captures" 2 "apps unknown: --names is for captures" "$WIRECUE" apps unknown --names
ends "and a capture behind nothing is a mistake" 2 "apps unknown: 'x.pcap', expected --on in front" "$WIRECUE" apps unknown x.pcap
ends "as are both" 2 "--on with --socket" "$WIRECUE" apps unknown --on "$pcaps/quic.pcap" --socket /run/x
ends "without a daemon there is one sentence" 1 "no wirecue answers on '/run/x'" "$WIRECUE" apps unknown --socket /run/x

# What ended: 100 are kept.
pps=20000
send va "$pcaps/recorded/tls-rival.pcap" --loop=200
wait_for has_received
wait_for eval '[ "$(ended)" -gt 20 ]'
check "flows that ended are among them" eval 'flows state | grep -x ended >/dev/null'
check "never more than are kept" [ "$(ended)" -le 100 ]
check "and not more than there were" [ "$(sum flows)" -le "$(show workers --json | fields flows)" ]

# Several at once; and while traffic comes.
for _ in 1 2 3 4; do
	show flows --json >"$dir/many.$_" &
done
wait -n && wait -n && wait -n && wait -n
for _ in 1 2 3 4; do
	check "asked at the same time, each gets its answer" grep -q '^{"summary"' "$dir/many.$_"
done
stop
equal "it stops in order" "$status" 0

# Another start: nothing is kept.
sed -i 's/^flows:.*/flows: {recent: 0}/; s/^privacy:.*/privacy: {subject: plain}/' "$config"
start
n_sent=0
send va "$pcaps/recorded/tls-rival.pcap"
wait_for has_received
check "with flows.recent: 0 the line says so" eval 'show flows | grep -q "none are kept (flows.recent: 0)"'
check "in a laboratory addresses are as they are" eval 'flows flow | grep -F "$address:" >/dev/null'
stop
equal "it stops in order again" "$status" 0
