#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Ports that a program in the kernel counts for, on real interfaces: what was sent is what is counted, as a replay
# counts it, in the driver and behind it, on a TAP and on a host; and what is left when it has ended.
. "${0%/*}/lib.sh"
. "${0%/*}/like_replay.sh"

command -v bpftool >/dev/null || skip "bpftool is not installed"
"$WIRECUE" replay --source xdp --no-redis "$pcaps/qinq.pcap" >/dev/null 2>"$dir/err" || skip "$(cat "$dir/err")"

# links A B [MTU]: as veth, with tags where XDP sees them.
links()
{
	veth "$@"
	ethtool -K "$1" txvlan off tx-vlan-stag-hw-insert off >/dev/null
}

# jumbo: a capture of packets of 8 KB, with those of another length between them: more of each flow than the classifier wants.
jumbo()
{
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$pcaps /usr/bin/python3 -c '
import pcaplib, struct, sys
with open(sys.argv[1], "wb") as out:
    pcaplib.write_header(out, False)
    for i in range(160):
        n = 8192 if i % 2 else 3000 + i
        udp = struct.pack(">HHHH", 40000 + i % 4, 9, n + 8, 0) + bytes(n)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), i, 0, 64, 17, 0, bytes((10, 20, 0, 11)), bytes((203, 0, 113, 80)))
        frame = bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)) + ip + udp
        pcaplib.write_frame(out, 1767225600 * 10**9 + i * 10**7, frame, len(frame), False)' "$1"
}

# xdp_config MODE ROLE IFACE...: as write_config, of interfaces.
xdp_config()
{
	local mode=$1 role=$2
	shift 2

	write_config "$@"
	sed -i "s/role: tap}/driver: xdp, xdp_mode: $mode, role: $role}/" "$config"
}

# attached IFACE: whether a program of XDP is there, or one on what it sends.
attached()
{
	bpftool -j net show dev "$1" | /usr/bin/python3 -c '
import json, sys
sys.exit(not any(part for kind in json.load(sys.stdin) for part in (kind["xdp"], kind["tc"])))'
}

has_no_filter()
{
	[ -z "$(tc filter show dev "$1" egress 2>/dev/null)" ]
}

# counts WHAT IFACE CAPTURE [BYTES]: sent there, nothing is lost, all of it is counted as in a replay.
counts()
{
	as_sent "$3" "${4:-1514}"
	start
	n_sent=0
	pps=1000
	send "$2" "$dir/as-sent.pcap"
	wait_for has_received
	wait_for ledger_adds_up
	wait_for counts_like_replay
	ok "$1: $n_sent frames sent, each counted, apps, flows, packets and bytes as in a replay"
	equal "$1: nothing was lost" "$(frames lost) $(frames queue_full)" "0 0"
	stop
	equal "$1: it ends with success" "$status" 0
}

for mode in native generic; do
	links va vb
	xdp_config "$mode" tap vb </dev/null
	for capture in gtpu-ipv6 qinq quic dns-http fragments/ipv4 fragments/ipv6 fragments/nested; do
		counts "$mode, $capture" va "$pcaps/$capture.pcap"
	done
	start
	equal "$mode: show says so" "$(show ports --json | fields path)" "xdp $mode"
	stop
	ip link del va
	links va vb 9000
	jumbo "$dir/jumbo.pcap"
	counts "$mode, jumbo frames" va "$dir/jumbo.pcap" 9014
	check "$mode: nothing is attached any more" eval '! attached vb'
	ip link del va
done

# Triggers. The capture spans months: here its frames are as far apart as they are sent.
links va vb
redis_start
people -e 's/cap: 300MB, anchor/cap: 1MB, anchor/'
xdp_config native tap vb <<-END
	rules:
	  - {id: keep-them, detect: competitor, class: retention, purpose: retention, min_days: 1}
	  - {id: near-cap, detect: near_cap, class: upsell, purpose: marketing}
	  - {id: vod, detect: app_session, class: upsell, purpose: marketing, category: streaming, start_after: 0s,
	     gap: 10s, min_duration: 1s, min_rate: 0bit, min_bytes: 0B}
END
what_and_whom()
{
	fields type subject data.rule.id data.app | sort
}

as_sent "$pcaps/evening.pcap"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$pcaps /usr/bin/python3 -c '
import pcaplib, sys, time
begin = int(time.time()) * 10**9
with open(sys.argv[2], "wb") as out:
    pcaplib.write_header(out, False)
    for i, frame in enumerate(pcaplib.read(sys.argv[1])):
        pcaplib.write_frame(out, begin + i * 10**9 // 4000, frame.data, frame.wire_len, False)' \
	"$dir/as-sent.pcap" "$dir/at-once.pcap"
start
n_sent=0
pps=4000
send va "$dir/at-once.pcap"
wait_for has_received
wait_for -t 20 has app.watched
wait_for ledger_adds_up
check "most frames are counted in the kernel" eval \
	'[ "$(show ports --json | fields kept)" -gt "$((n_sent / 2))" ]'
equal "none waits there undecided" "$(show ledger xdp --json | fields what count | grep evicted)" "evicted_undecided 0"
stop
"$WIRECUE" replay --no-redis -c "$config" --triggers "$dir/triggers.jsonl" "$dir/at-once.pcap" >/dev/null 2>"$dir/err"
equal "triggers are those of a replay of the same frames" "$(events | what_and_whom)" \
	"$(what_and_whom <"$dir/triggers.jsonl")"
check "and some came" [ "$(n_events)" -gt 5 ]
check "they are of a schema" events_are_valid
redis_kill
ip link del va

# A host's own traffic, both ways, through a program that passes everything on.
# fetch FILE: from the host to its peer.
fetch()
{
	ip netns exec peer /usr/bin/python3 -c '
import sys, urllib.request
with urllib.request.urlopen("http://10.20.0.1:8080/file", timeout=5) as answer, open(sys.argv[1], "wb") as out:
    out.write(answer.read())' "$1"
}

for mode in native generic; do
	ip netns add peer
	ip link add va type veth peer name vb
	ip link set va netns peer
	ip -n peer addr add 10.20.0.11/24 dev va
	ip addr add 10.20.0.1/24 dev vb
	ip -n peer link set va up
	ip link set vb up
	ethtool -K vb txvlan off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	ip netns exec peer ethtool -K va txvlan off tx-vlan-stag-hw-insert off >/dev/null
	xdp_config "$mode" tap vb </dev/null
	ends "$mode: an interface that the host uses is no TAP" 1 "'vb' has the address 10.20.0.1" "$WIRECUE" run -c "$config"
	xdp_config "$mode" host vb </dev/null
	start
	head -c 5000000 /dev/urandom >"$dir/open/file"
	(cd "$dir/open" && exec /usr/bin/python3 -m http.server --bind 10.20.0.1 8080 >/dev/null 2>&1) &
	server=$!
	wait_for fetch "$dir/got"
	check "$mode host: the peer has its file" cmp -s "$dir/open/file" "$dir/got"
	wait_for ledger_adds_up
	wait_for eval '[ "$(show apps --json | fields bytes | awk "{ n += \$1 } END { print (n > 5000000) }")" = 1 ]'
	ok "$mode host: both directions are counted"
	check "$mode host: what is sent is as large as the file" eval \
		'[ "$(show apps --json | fields bytes | awk "{ n += \$1 } END { print (n < 6000000) }")" = 1 ]'
	equal "$mode host: nothing was lost" "$(frames lost)" 0
	stop KILL
	wait_for eval '! bpftool -j net show dev vb | grep -q "\"xdp\":\[{"'
	ok "$mode host: killed, its program ends with it"
	check "$mode host: and the host goes on" fetch "$dir/got"
	start
	stop
	check "$mode host: the next one leaves nothing" eval '! attached vb && has_no_filter vb'
	kill "$server"
	ip link del vb
	ip netns del peer
done

# What cannot be had is said, and the others work.
links va vb
veth vc vd
xdp_config auto tap vb vd nowhere </dev/null
start
check "tags that XDP would not see are refused with the remedy" says port_down "ethtool -K vc txvlan off"
check "so is an interface that is not there" says port_down "no interface 'nowhere'"
equal "show says which" "$(show ports --json | fields port state)" "$(printf 'port1 up\nport2 down\nport3 down')"
as_sent "$pcaps/qinq.pcap"
n_sent=0
send va "$dir/as-sent.pcap"
wait_for has_received
ok "and the other works without them"
ip link set va down
wait_for says source_gap 'cause="link down"'
ok "a link that goes down is a gap"
ip link set va up
wait_for eval '[ "$(show ports --json | fields state | head -n 1)" = up ]'
stop
