#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Captures of flows that stay unknown: which flows, what of them, for whom to read, within which bounds.
. "${0%/*}/lib.sh"

canary_grep=$WIRECUE_TOP/tests/lib/canary-grep
traffic=$WIRECUE_TOP/tests/integration/samples_traffic.py
samples=$dir/samples

# samples_say FIELD...: of `show samples`.
samples_say()
{
	show samples --json | fields "$@"
}

# kept: what the files have, a flow a line: its server and port, its name.
kept()
{
	"$WIRECUE" replay -c "$config" --no-redis --flows "$dir/kept" "$samples"/*.pcap >/dev/null 2>&1
	fields dst dport endpoint host <"$dir/kept" | sort
}

# n_bytes: that the files have.
n_bytes()
{
	find "$1" -name '*.pcap' -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'
}

# send_busy: 120 flows that were not there before.
port=50000
send_busy()
{
	"$traffic" "$dir/busy.pcap" "$port"
	port=$((port + 120))
	send va "$dir/busy.pcap"
}

# options LINE: of the samples.
options()
{
	sed -i "s|^samples:.*|samples: {path: $samples, $1}|" "$config"
}

reload()
{
	local n
	n=$(grep -cE ' (reloaded|reload_refused)( |$)' "$log")

	kill -HUP "$wirecue_pid"
	wait_for eval '[ "$(grep -cE " (reloaded|reload_refused)( |$)" "$log")" -gt '"$n"' ]'
}

veth va vb
redis_start
"$traffic" "$dir/all.pcap"
cat >"$dir/apps.yaml" <<-END # what is not in it is unknown: look-ups, signalling, mail
	apps:
	  - {name: film, category: streaming, hosts: [film.example]}
	  - {name: gambling-sites, category: gambling, hosts: [casino.example]}
END
write_config "$(tap vb)" <<-END
	apps: apps.yaml
	samples: {one_in: 1}
END
sed -i 's|^endpoints:.*|endpoints: {networks: [10.0.0.0/8, "2001:db8:7788::/48"]}|' "$config"

# Off, until somebody says where.
start
send va "$dir/all.pcap"
wait_for has_received
equal "without a path nothing is kept" "$(samples_say state)" off
check "and the log does not say that something is" eval '! says samples_on'
stop

# On: which flows.
options 'one_in: 1'
start
n_sent=0
check "with one the log says so" says samples_on "one_in=1 packets=8 snap=256"
send va "$dir/all.pcap"
wait_for has_received
wait_for eval '[ "$(samples_say flows)" -ge 9 ]'
wait_for eval '[ "$(samples_say state chosen known)" = "on 9 0" ]'
stop
equal "a stop writes what is there" "$(find "$samples" -type f | wc -l)" 1
equal "all that is unknown is kept, and nothing else: no look-up, no signalling, no mail, nothing known or sensitive" \
	"$(kept)" "$(sort <<-END
		203.0.113.10 443 240.0.0.1 api.unknown.example
		203.0.113.10 443 240.0.0.1 api.unknown.example
		203.0.113.10 443 240.0.0.1 api.unknown.example
		203.0.113.10 443 240.0.0.1 api.unknown.example
		203.0.113.11 4433 240.0.0.1 $(:)
		203.0.113.12 80 240.0.0.1 portal.unknown.example
		203.0.113.13 7777 240.0.0.1 $(:)
		203.0.113.14 9999 240.0.0.1 $(:)
		2001:db8:9::15 4433 3fff:0:f002::/64 $(:)
	END
	)"

# What of them.
quiet "$canary_grep" "$dir/all.pcap" || true
equal "the subscriber is on the wire, in many forms" "$status $([ "$(wc -l <"$dir/out")" -gt 10 ] && echo many)" "1 many"
check "and in no form in what was kept" "$canary_grep" "$samples"
quiet strings -n 5 "$samples"/*.pcap
check "nor are names that were looked up or are known" eval '! grep -qE "lookup|film|casino" "$dir/out"'
check "of a request the host is there" grep -q "portal.unknown.example" "$dir/out"
check "no packet has more than it may, no flow more packets" eval '/usr/bin/python3 - "$samples"/*.pcap <<-END
	import collections, struct, sys
	data = open(sys.argv[1], "rb").read()
	assert struct.unpack("<IHHiIII", data[:24]) == (0xa1b23c4d, 2, 4, 0, 0, 65535, 101)
	at, flows = 24, collections.Counter()
	while at < len(data):
	    _, _, n, wire = struct.unpack("<4I", data[at:at + 16])
	    packet = data[at + 16:at + 16 + n]
	    assert n <= min(256, wire) and len(packet) == n
	    v4 = packet[0] >> 4 == 4
	    l4 = packet[20:] if v4 else packet[40:]
	    ports = struct.unpack(">HH", l4[:4])
	    flows[max(ports)] += 1
	    if v4:
	        words = sum(struct.unpack(">10H", packet[:20]))
	        assert (words & 0xffff) + (words >> 16) == 0xffff, "the header checksum is wrong"
	    at += 16 + n
	assert flows.pop(41012) == 1, "the request was all that the classifier wanted"
	assert set(flows.values()) == {8}, flows
END'
equal "folder and files are for their owner alone" \
	"$(stat -c %a "$samples" "$samples"/*.pcap | tr '\n' ' ')" "700 600 "

# What they are good for.
quiet "$WIRECUE" apps unknown -c "$config" --names --json --on "$samples"/*.pcap
equal "apps unknown reads them" "$(fields kind what flows subscribers <"$dir/out" | grep unknown.example | sort)" \
	"$(printf '%s\n' 'host unknown.example 5 1')"
check "servers without a name, too" grep -q '"what": *"203.0.113.11"' "$dir/out"
quiet "$WIRECUE" apps wrong tcp:240.0.0.1:41000-203.0.113.10:443 mine --to "$dir/wrong" -c "$config" --on "$samples"/*.pcap
equal "apps wrong drafts a rule from them" "$status $(grep -c 'hosts: \[.*unknown.example\]' "$dir/out")" "0 1"

# Over a restart, by reload, within bounds.
options 'one_in: 0, total: 300kB, file_size: 100kB'
start
n_sent=0
send_busy
wait_for has_received
equal "one in none is none" "$(samples_say state chosen flows)" "paused 0 0"
options 'one_in: 1, total: 300kB, file_size: 100kB'
reload
check "a reload begins" says samples_on "one_in=1 packets=8 snap=256 total=300000"
for _ in 1 2 3; do
	send_busy
done
wait_for has_received
wait_for eval '[ "$(samples_say flows)" -ge 360 ]'
check "files end with their size and the oldest go" eval '[ "$(n_bytes "$samples")" -le 300000 ] &&
	[ "$(n_bytes "$samples")" -gt 150000 ] && [ "$(find "$samples" -name "*.pcap" -size +98k | wc -l)" -eq 0 ]'
equal "as it is shown" "$(samples_say files bytes)" "$(find "$samples" -name '*.pcap' | wc -l) $(n_bytes "$samples")"
check "and as text" matches "$(show samples | tail -1)" '^on +1 +[0-9]+ +[0-9]+ +20'
old=$samples/unknown-20200101T000000Z-0000.pcap
touch "$old" "$samples/mine.pcap"
options 'one_in: 1, packets: 9'
reload
check "how much of a flow is kept is fixed at the start" says reload_refused "changed=samples.packets"
stop
options 'one_in: 1'
start
wait_for eval '[ ! -e "$old" ]'
check "what an earlier one left goes by its age, and nothing of another name" test -e "$samples/mine.pcap"
stop

# A folder that is not right, and a disk that is full.
chmod 755 "$samples"
start
wait_for eval 'says samples_failing "chmod 700"'
equal "a folder that others may enter is not used" "$(samples_say state)" failing
check "which is said, while all else works" matches "$(samples_say cause)" 'is open to others'
chmod 700 "$samples"
wait_for eval 'says samples_recovered'
ok "put right it is"
stop
rm -rf "$samples"
mkdir "$samples"
mount -t tmpfs -o size=32m,mode=700 none "$samples"
start
n_sent=0
fallocate -l 32000k "$samples/ballast"
send_busy
wait_for has_received
wait_for eval 'says samples_failing "make room on the disk"'
wait_for eval '[ "$(samples_say lost)" -ge 120 ]'
equal "on a full disk samples are lost and counted" "$(samples_say state flows)" "failing 0"
equal "which is said once" "$(grep -c samples_failing "$log")" 1
wait_for ledger_adds_up
ok "and no packet"
rm "$samples/ballast"
send_busy
wait_for eval 'send_busy; says samples_recovered'
ok "with room it goes on"
wait_for eval '[ "$(samples_say state)" = on ] && [ "$(samples_say flows)" -gt 0 ]'
stop
equal "it ends with success" "$status" 0
umount "$samples"
