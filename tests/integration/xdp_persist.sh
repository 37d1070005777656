#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Counting that outlives the daemon: killed under traffic again and again, stopped, away for a while, each byte that was
# sent is counted once.
. "${0%/*}/lib.sh"

command -v bpftool >/dev/null || skip "bpftool is not installed"
"$WIRECUE" replay --source xdp --no-redis "$pcaps/qinq.pcap" >/dev/null 2>"$dir/err" || skip "$(cat "$dir/err")"
mkdir /run/bpf # which ends with our namespaces
mount -t bpf bpf /run/bpf || skip "cannot mount a BPF file system"
pins=/run/bpf/wirecue

FRAME=600 # bytes of each frame, so that how many were sent says how many bytes

# many_flows FILE: of 400 endpoints, over UDP and TCP, some of a few packets, some of many; TCP begins and ends.
many_flows()
{
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$pcaps /usr/bin/python3 -c '
import pcaplib, random, struct, sys
rnd = random.Random(1)
size = int(sys.argv[2])
frames = []
for flow in range(2000):
    tcp = flow % 2
    who = bytes((10, 20, flow % 7, 1 + flow % 57))
    server = bytes((203, 0, 113, flow % 200))
    port, n = 20000 + flow, rnd.choice((1, 3, 10, 40))
    at, step = rnd.random(), rnd.random() * 0.3 / n
    for i in range(n):
        l4_len = size - 34
        up = i % 3 == 0
        ports = struct.pack(">HH", *((port, 443) if up else (443, port)))
        if tcp:
            flags = 2 if i == 0 else 0x11 if i >= n - 2 and n > 3 else 0x10
            l4 = ports + struct.pack(">IIBBHHH", 1 + i * l4_len, 1, 0x50, flags, 8192, 0, 0)
        else:
            l4 = ports + struct.pack(">HH", l4_len, 0)
        l4 += bytes((flow & 255, i)) * ((l4_len - len(l4)) // 2)
        l4 += bytes(l4_len - len(l4))
        ip = struct.pack(">BBHHHBBH", 0x45, 0, size - 14, 0, 0, 64, 6 if tcp else 17, 0)
        ip += who + server if up else server + who
        frames.append((at + i * step, bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)) + ip + l4))
frames.sort(key=lambda f: f[0])
with open(sys.argv[1], "wb") as out:
    pcaplib.write_header(out, False)
    for i, (_, frame) in enumerate(frames):
        assert len(frame) == size
        pcaplib.write_frame(out, 1767225600 * 10**9 + i * 10**5, frame, size, False)' "$1" "$FRAME"
}

# persist_config yes|no MODE ROLE: with room for what comes up while a slow machine starts. What finds none waits on its
# flow, and of one that has ended nobody hears.
persist_config()
{
	write_config vb <<-END
		xdp: {persist: $([ "$1" = yes ] && echo true || echo false), pins: "$pins", ring: 128MiB}
		store: {path: "$dir/store", size: 1GB}
	END
	sed -i "s/role: tap}/driver: xdp, xdp_mode: $2, role: $3}/" "$config"
}

# counted: bytes of all subscribers and endpoints, as the store has them on the disk.
counted()
{
	"$WIRECUE" store dump "$dir/store" --table meta 2>/dev/null | /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    engine = json.loads(line)
    if "seen_bytes" in str(engine):
        while "seen_bytes" not in engine:
            engine = next(v for v in engine.values() if isinstance(v, dict) and "seen_bytes" in str(v))
        print(engine["seen_bytes"])'
}

sent_bytes()
{
	printf '%d' $((n_sent * (FRAME - 14)))
}

all_is_counted()
{
	[ "$(counted)" = "$(sent_bytes)" ]
}

attached()
{
	bpftool -j net show dev vb | grep -q '"xdp":\[{'
}

# send_all LOOPS: in the background; what was sent is for count_sent afterwards.
send_all()
{
	tcpreplay -i va --pps="$pps" --loop="$1" --preload-pcap "$dir/flows.pcap" >"$dir/tcpreplay.log" 2>&1 &
	sender=$!
}

many_flows "$dir/flows.pcap"
veth va vb
ethtool -K va txvlan off tx-vlan-stag-hw-insert off >/dev/null
pps=6000

for mode in native generic; do
	rm -rf "$dir/store"
	n_sent=0
	persist_config yes "$mode" tap
	start
	kills=3
	[ "$mode" = native ] || kills=1
	send_all "$kills"
	for _ in $(seq "$kills"); do
		sleep "0.$((RANDOM % 900 + 100))"
		stop KILL
		check "$mode: killed, its program stays" attached
		sleep "0.$((RANDOM % 900 + 100))"
		start
		check "$mode: the next one takes over" says taken_over
	done
	wait "$sender"
	count_sent
	wait_for -t 20 all_is_counted
	ok "$mode: killed $kills times under traffic, $n_sent frames sent, each byte counted once"
	check "$mode: nothing is said to be missing" eval '! says gap && ! says takeover_lost'
	equal "$mode: what was before is gone" "$(find "$pins" -mindepth 1 -maxdepth 1 -name '[0-9]*' | wc -l)" 1
	stop
	equal "$mode: stopped in order it ends with success" "$status" 0
	check "$mode: and its program stays as well" attached
	send_all 1
	wait "$sender"
	count_sent
	start
	wait_for -t 20 all_is_counted
	ok "$mode: what came while nobody was there is counted, $n_sent frames"
	stop
	equal "$mode: once" "$(counted)" "$(sent_bytes)"
	persist_config no "$mode" tap
	start
	check "$mode: without persist it is over" eval '[ -z "$(find "$pins" -mindepth 1 -maxdepth 1 -name "xdp-*")" ]'
	wait_for eval '[ -z "$(ls "$pins")" ]'
	ok "$mode: and nothing is left of it"
	stop KILL
	wait_for eval '! attached'
	ok "$mode: its program ends with it again"
	equal "$mode: nothing was counted twice" "$(counted)" "$(sent_bytes)"
done

ip link del va

# A host's own traffic: both programs go on. What passed is what its interface says, without Ethernet's headers, which
# veth counts only where it sends.
fetch()
{
	ip netns exec peer /usr/bin/python3 -c '
import urllib.request
with urllib.request.urlopen("http://10.20.0.1:8080/file", timeout=5) as answer:
    assert len(answer.read()) == 500000'
}

# mac IFACE [ARG...]: ARGs are ip's.
mac()
{
	local iface=$1
	shift

	ip "$@" -j link show "$iface" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])'
}

passed_bytes()
{
	ip -j -s link show vb | /usr/bin/python3 -c '
import json, sys
both = json.load(sys.stdin)[0]["stats64"]
print(both["rx"]["bytes"] + both["tx"]["bytes"] - 14 * both["tx"]["packets"])'
}

passed_is_counted()
{
	[ "$(counted)" = "$(passed_bytes)" ]
}

rm -rf "$dir/store"
ip netns add peer
ip link add va type veth peer name vb
ip link set va netns peer
for i in va vb; do
	in_it=(ip netns exec peer)
	[ "$i" = va ] || in_it=(env)
	"${in_it[@]}" ethtool -K "$i" tso off gso off gro off tx off txvlan off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	"${in_it[@]}" ip link set "$i" multicast off arp off
done
ip -n peer addr add 10.20.0.11/24 dev va
ip addr add 10.20.0.1/24 dev vb
persist_config yes native host
start
[ "$(show ports --json | fields path)" = "xdp native, tcx" ] || {
	[ "$n_failed" -eq 0 ] || exit 1
	skip "the kernel has no TCX; all before this passed"
}
ip -n peer link set va up
ip link set vb up
ip -n peer neigh replace 10.20.0.1 dev va lladdr "$(mac vb)"
ip neigh replace 10.20.0.11 dev vb lladdr "$(mac va -n peer)"
head -c 500000 /dev/urandom >"$dir/open/file"
(cd "$dir/open" && exec /usr/bin/python3 -m http.server --bind 10.20.0.1 8080 >/dev/null 2>&1) &
server=$!
wait_for fetch
(for _ in $(seq 60); do fetch || exit 1; done) &
fetching=$!
for _ in 1 2; do
	sleep "0.$((RANDOM % 900 + 100))"
	stop KILL
	check "host: killed, both programs stay" eval 'attached && [ -e "$pins/tcx-vb" ]'
	sleep "0.$((RANDOM % 900 + 100))"
	start
	check "host: the next one takes over" says taken_over
done
wait "$fetching"
equal "host: its peer heard nothing of it" "$?" 0
wait_for -t 20 passed_is_counted
ok "host: killed twice under traffic, each byte of $(passed_bytes) counted once"
stop
kill "$server"
ip link del vb
ip netns del peer

# What cannot be is said.
persist_config yes native tap
sed -i "s|pins: [^}]*|pins: $dir/elsewhere|" "$config"
ends "a folder that is in no BPF file system is refused" 1 "is in no BPF file system" "$WIRECUE" run -c "$config"
check "and not made" [ ! -e "$dir/elsewhere" ]
sed -i 's/^store:.*/store: {enabled: false}/' "$config"
ends "so is going on without a store" 2 "'true', expected .store.enabled: true. with it" "$WIRECUE" run -c "$config"
