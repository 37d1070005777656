#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# An identifier that is told and seen on the wire stands in nothing that a running daemon says: not in its log, its
# answers, its heartbeat, and nothing that goes to Redis.
. "${0%/*}/lib.sh"

canary_grep=$WIRECUE_TOP/tests/lib/canary-grep
said=$dir/said
mkdir "$said"

canary() # KIND
{
	awk -v kind="$1" '$1 == kind { print $2 }' "$WIRECUE_TOP/tests/lib/canaries"
}

tell_the_canary()
{
	cat >"$dir/people.yaml" <<-END
		static: true
		subscribers:
		  - msisdn: "$(canary msisdn)"
		    imsi: "$(canary imsi)"
		    account: $(canary account)
		    addresses: [$(canary ipv4)]
		    plan: {id: s, buckets: [{id: data, cap: 100kB}]}
		    line: {kind: consumer}
		    consent: [{purpose: marketing, status: granted}, {purpose: retention, status: granted}]
	END
}

# Everything that can be asked, in every way that names the subscriber.
ask()
{
	local what id

	for what in $(show --json | fields name); do
		show "$what"
		show "$what" --json
	done
	for id in "msisdn:$(canary msisdn)" "imsi:$(canary imsi)" "account:$(canary account)" "$(canary msisdn)"; do
		show subscriber "$id"
		show subscriber "$id" --json
		show "$id"
	done
}

durable=(--appendonly yes --appendfsync always)
veth va vb
redis_start "${durable[@]}"
tell_the_canary
printf '0123456789abcdef0123456789abcdef' >"$dir/pseudonym.key"
chmod 600 "$dir/pseudonym.key"
write_config "$(tap vb)" net_af_packet,iface=nowhere <<-END
	privacy: {subject: msisdn, key_file: pseudonym.key}
	store: {path: $dir/store}
	rules:
	  - {id: keep, detect: competitor, class: retention, purpose: retention, min_days: 1, visit_flows: 1}
	  - {id: cap, detect: near_cap, class: upsell, purpose: marketing}
	  - {id: vod, detect: app_session, class: upsell, purpose: marketing, category: streaming, start_after: 0s,
	     gap: 10s, min_bytes: 0B}
END
sed -i 's|10.20.0.0/16|10.0.0.0/8|' "$config"
start
redis monitor >"$said/redis" &
wait_for grep -q OK "$said/redis"
for capture in "$pcaps"/recorded/{tls,http,quic,dns,icmp}*.pcap; do
	tcprewrite --pnat="10.20.0.11/32:$(canary ipv4)/32" -i "$capture" -o "$dir/canary.pcap"
	send va "$dir/canary.pcap"
done
wait_for has_received
for type in competitor.interest usage.threshold usage.nudge app.session_started; do
	wait_for has "$type"
done
ask >"$said/answers" 2>&1
sed -i "s/cap: 100kB/cap: $(canary imsi)/" "$dir/people.yaml"
kill -HUP "$wirecue_pid"
wait_for says reload_refused
tell_the_canary
redis_kill
kill -HUP "$wirecue_pid"
wait_for says reloaded
redis_start "${durable[@]}"
redis monitor >>"$said/redis" &
wait_for eval '[ "$(redis_says state)" = ready ]'
wait_for grep -q heartbeat "$said/redis"
stop
cp "$log" "$said/log"
cp "$dir/store/wirecue.mdb" "$said/store"
"$WIRECUE" store dump "$dir/store" >"$said/dump"
"$WIRECUE" store check "$dir/store" --json >"$said/check"

check "the canary was there to be told: its subject is in the triggers" \
	grep -q "$("$WIRECUE" subject -c "$config" "msisdn:$(canary msisdn)")" "$said/redis" "$said/answers"
check "heartbeats were heard" grep -q 'wirecue:heartbeat:{lab}' "$said/redis"
check "its profile is in the store" grep -q '"identity": *"sealed"' "$said/dump"
"$WIRECUE" store dump "$dir/store" --table profiles --reveal --key-file "$dir/store/identity.key" >"$dir/revealed"
quiet "$canary_grep" "$dir/revealed" || true
equal "and with the key it is revealed" "$status" 1
quiet "$canary_grep" "$dir/people.yaml" || true
equal "the grep finds it where it is told" "$status" 1
quiet "$canary_grep" "$dir/canary.pcap" || true
equal "and on the wire" "$status" 1
check "and in nothing that was said" "$canary_grep" "$said"
