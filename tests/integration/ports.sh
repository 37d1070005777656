#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Kinds of ports, two ports that see one direction each, ports that are not there or taken.
. "${0%/*}/lib.sh"
. "${0%/*}/like_replay.sh"

# live WHAT IFACE CAPTURE: what the running daemon counts of it is what replay counts.
live()
{
	as_sent "$3"
	n_sent=0
	pps=500
	send "$2" "$dir/as-sent.pcap"
	wait_for has_received
	wait_for ledger_adds_up
	ok "$1: every frame has one outcome"
	wait_for counts_like_replay
	ok "$1: apps, flows, packets and bytes are those of a replay"
	stop
	equal "$1: it ends with success" "$status" 0
}

veth va vb
write_config "$(tap vb)" </dev/null
start
live net_af_packet va "$pcaps/gtpu-ipv6.pcap"

write_config net_tap,iface=dtap0 </dev/null
start
live net_tap dtap0 "$pcaps/qinq.pcap"

# A link that goes away under the running daemon.
start
equal "a link that is up is no gap" "$(show ports --json | fields state cause) $(show gaps --json)" 'up  '
ip link set dtap0 down
wait_for says source_gap 'source="port port1" cause="link down"'
ok "a link that goes down is a gap, which is logged"
equal "show says which" "$(show ports --json | fields state cause)" \
	'link_down its driver says that the link is down'
equal "and lists the gap" "$(show gaps --json | fields cause)" 'port port1 link down'
ip link set dtap0 up
wait_for says source_gap_over 'cause="port port1 link down"'
equal "until it is up again" "$(show ports --json | fields state)" up
n_sent=0
send dtap0 "$dir/as-sent.pcap"
wait_for has_received
ok "and then it delivers as before"
stop

# Few frames wait in libpcap's ring: what it drops is told, and nothing else is missing.
write_config net_pcap,rx_iface_in=vb </dev/null
start
n_sent=0
send va "$pcaps/quic.pcap"
wait_for eval '[ $(($(frames received) + $(frames lost))) = "$n_sent" ]'
ok "net_pcap: received and lost are all that was sent"
# How many is up to the CPU; what was lost is a gap, with the sum.
check "a loss is a gap of the port, none is none" eval '
	[ "$(frames lost)" = 0 ] || wait_for eval "show gaps | grep -q \"port port1 lost $(frames lost) of\""'
stop

# Each direction on a link of its own: one flow all the same.
veth vc vd
write_config "$(tap vb)" "$(tap vd)" </dev/null
start
as_sent "$pcaps/dns-http.pcap"
mac=$(/usr/bin/python3 -c 'import sys; print(open(sys.argv[1], "rb").read()[46:52].hex(":"))' "$dir/as-sent.pcap")
tcpprep --mac="$mac" -i "$dir/as-sent.pcap" -o "$dir/as-sent.cache" >/dev/null
n_sent=0
tcpreplay --pps=200 -c "$dir/as-sent.cache" -i va -I vc "$dir/as-sent.pcap" >"$dir/tcpreplay.log" 2>&1
count_sent
wait_for has_received
wait_for counts_like_replay
ok "two ports that see a direction each: apps, flows, packets and bytes are those of a replay"
check "each port has its part" eval '[ "$(show ports --json | fields frames | awk "\$1 > 10" | wc -l)" = 2 ]'
equal "and mostly one direction, which shows" \
	"$(show ports --json | fields up_packets down_packets | awk '{ print ($1 > 2 * $2), ($2 > 2 * $1) }' | sort)" \
	"$(printf '0 1\n1 0')"
stop

# The kernel spreads flows over two queues, and each worker receives from its own.
cpu=$(awk '/^Cpus_allowed_list/ { sub(/[-,].*/, "", $2); print $2 }' /proc/self/status)
write_config "$(tap vb),qpairs=2" </dev/null
sed -i -e 's/name: port1,/name: port1, spread: device,/' -e "s/flows: 64k/flows: 64k, cpus: [$cpu, $cpu]/" "$config"
check "a dry run says which thread receives from which queue" eval \
	'"$WIRECUE" run --dry -c "$config" | grep -q "^thread .*worker 1, receives from its queue of port1"'
start
as_sent "$pcaps/dns-http.pcap"
n_sent=0
send va "$dir/as-sent.pcap"
wait_for has_received
wait_for counts_like_replay
ok "queues that the kernel spreads over: apps, flows, packets and bytes are those of a replay"
check "each worker has its part" eval '[ "$(show workers --json | fields packets | awk "\$1 > 0" | wc -l)" = 2 ]'
equal "of two queues" "$(show ports --json | fields queues)" 2
stop
write_config "$(tap vb)" "$(tap vd)" </dev/null
sed -i -e 's/name: port1,/name: port1, spread: device,/' -e "s/flows: 64k/flows: 64k, cpus: [$cpu, $cpu]/" "$config"
start
check "a port without a queue for each worker is down, and says why" says port_down 'has 1 receive queues there, expected as many'
stop
write_config "$(tap vb),qpairs=2" "$(tap vd)" </dev/null
start
check "so is one with a queue that nobody would read" says port_down 'has 2 receive queues there and 1 would be polled'
stop

# What is nobody's business is counted, and in no flow; live as in a replay.
write_config "$(tap vb)" </dev/null
sed -i 's/name: port1,/name: port1, ignore: {networks: [198.51.100.80\/32]},/' "$config"
start
as_sent "$pcaps/dns-http.pcap"
n_sent=0
send va "$dir/as-sent.pcap"
wait_for has_received
wait_for ledger_adds_up
wait_for counts_like_replay
ok "what a port ignores is in no app, live as in a replay"
check "and counted" [ "$(frames ignored)" -gt 10 ]
equal "as much as a replay counts" "$(frames ignored)" \
	"$("$WIRECUE" replay --json --no-redis -c "$config" "$dir/as-sent.pcap" | fields outcomes.ignored)"
stop

# A mirror that delivers everything twice.
write_config "$(tap vb)" </dev/null
sed -i 's/flows: 64k/flows: 64k, duplicates: drop/' "$config"
once=$("$WIRECUE" replay --json --no-redis -c "$config" "$pcaps/gtpu-ipv6.pcap")
twice=$("$WIRECUE" replay --json --no-redis -c "$config" "$pcaps/gtpu-ipv6.pcap" "$pcaps/gtpu-ipv6.pcap")
equal "copies that are dropped change no usage" "$(fields usage apps <<<"$twice")" "$(fields usage apps <<<"$once")"
equal "and each is counted" "$(fields outcomes.duplicate <<<"$twice")" "$(fields outcomes.accounted <<<"$once")"

write_config net_af_packet,iface=nowhere "$(tap vb)" 0000:ff:1f.7 </dev/null
start
check "a port that is not there is an alarm" says port_down 'iface=nowhere'
check "with the driver's reason" says port_down 'No such device'
check "of which nothing else is said" eval '! says port_blind iface=nowhere'
check "so is a PCI device that is not there" says port_down 'no such PCI device'
equal "show says which is down" "$(show ports --json | fields port state)" \
	"$(printf 'port1 down\nport2 up\nport3 down')"
n_sent=0
send va "$pcaps/quic.pcap"
wait_for has_received
ok "and the others work without it"
wait_for eval '[ "$(show gaps | wc -l)" = 3 ]'
equal "each that is down is a gap" "$(show gaps --json | fields cause)" \
	"$(printf 'port port1 down\nport port3 down')"
check "that is logged" says source_gap 'source="port port1" cause=down'
stop
check "it ends with the daemon" says source_gap_over 'cause="port port3 down"'

write_config net_af_packet,iface=nowhere "$(tap vb)" <<<"store: {path: $dir/store}"
start
wait_for eval 'show gaps | grep -q "port port1 down"'
stop
start
wait_for eval '[ "$(show gaps --json | fields cause | sort)" = "$(
	printf "port port1 down\nport port1 down\nwirecue was stopped")" ]'
ok "a gap of a port outlives the process, and begins again"
stop

write_config net_af_packet,iface=nowhere 0000:ff:1f.7 </dev/null
ends "without any port it does not start" 1 "cannot open port 'net_af_packet0,iface=nowhere': .*No such device" \
	"$WIRECUE" run -c "$config"
write_config net_af_packet,ifaces=vb </dev/null
ends "an argument that the driver refuses without a word is asked after" 1 \
	"'net_af_packet0,ifaces=vb': its driver refused it .* are its arguments right, such as iface=eth1" \
	"$WIRECUE" run -c "$config"

write_config "$(tap vb)" </dev/null
start
sed "s/iface=vb/iface=vd/" "$config" >"$dir/second.yaml"
ends "a second daemon on the same control socket does not start" 1 'another wirecue answers on' \
	"$WIRECUE" run -c "$dir/second.yaml"
check "and the first goes on" quiet show ledger
stop
write_config net_af_xdp,iface=vb </dev/null
start
sed '$a control: {socket: second.sock}' "$config" >"$dir/second.yaml"
ends "a port that another program holds is one sentence" 1 "cannot .* port 'net_af_xdp0,iface=vb': " \
	"$WIRECUE" run -c "$dir/second.yaml"
stop
