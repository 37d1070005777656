# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the recording scripts share: a client and a server in two network namespaces joined by a veth pair, and
# recording what they say. Sourced; the caller sets `set -euo pipefail`. Nothing leaves the namespaces, installs nothing.
#
# lab_open NEEDS   checks programs ("program:package ..."), makes $tmp, $client, $server, the link and its addresses
# in_client, in_server COMMAND...    await SECONDS COMMAND...    background COMMAND... (killed at the end)
# capture RAW FILTER COMMAND...      status 1: the command failed, frames were lost or sent twice

me=${0##*/}
PATH=$PATH:/usr/sbin:/sbin
py=/usr/bin/python3
tmp=
client=wc-client-$$
server=wc-server-$$
pids=()

lab_close()
{
	local pid

	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	ip netns del "$client" 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	rm -rf "$tmp"
}

in_client() { ip netns exec "$client" "$@"; }
in_server() { ip netns exec "$server" "$@"; }

# background COMMAND... (a program, not a function): its process id is the program's.
background()
{
	"$@" &
	pids+=($!)
}

# Wait for a condition instead of sleeping: await SECONDS COMMAND...
await()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			echo "$me: gave up waiting for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# listening "tcp ADDRESS:PORT"
listening() { in_server ss -Hlntu | awk '{ print $1, $5 }' | grep -qF -- "$1"; }

lab_check()
{
	local need missing=

	for need in $1; do
		command -v "${need%%:*}" >/dev/null || missing+=" ${need##*:}"
	done
	[ -x $py ] || missing+=" python3-minimal"
	if [ -n "$missing" ]; then
		echo "$me: missing programs; on Debian 12: apt-get install --no-install-recommends$missing" >&2
		exit 2
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "$me: needs root for network namespaces (the compose scripts do not)" >&2
		exit 2
	fi
}

lab_open()
{
	local ns

	lab_check "ip:iproute2 ss:iproute2 dumpcap:wireshark-common tshark:tshark $1"
	tmp=$(mktemp -d "/tmp/$me.XXXXXX")
	trap lab_close EXIT
	ip netns add "$client"
	ip netns add "$server"
	# No address autoconfiguration: router solicitations and MLD would be noise.
	for ns in "$client" "$server"; do
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0
		ip -n "$ns" link set lo up
	done
	ip link add to-server netns "$client" address 02:00:00:00:00:11 type veth \
		peer name to-client netns "$server" address 02:00:00:00:00:01
	ip -n "$client" link set to-server up
	ip -n "$server" link set to-client up
	ip -n "$client" addr add 10.20.0.11/24 dev to-server
	ip -n "$client" addr add 2001:db8:20:2::11/64 dev to-server nodad
	ip -n "$server" addr add 10.20.0.1/24 dev to-client
	ip -n "$server" addr add 2001:db8:20:2::1/64 dev to-client nodad
	ip -n "$client" route add default via 10.20.0.1
	ip -n "$client" -6 route add default via 2001:db8:20:2::1
}

# An address of the server besides that of its link: lab_serve ADDRESS ("-": none)
lab_serve()
{
	case $1 in
	-) ;;
	*:*) ip -n "$server" addr add "$1/128" dev lo nodad ;;
	*) ip -n "$server" addr add "$1/32" dev lo ;;
	esac
}

capture()
{
	local raw=$1 filter=$2 dump n=-1 r=0

	shift 2
	rm -f "$raw" "$tmp/dumpcap.log" # an old line or file must not pass for a new one
	ip netns exec "$client" dumpcap -q -P -s 0 -B 64 -i to-server -f "$filter" -w "$raw" 2>"$tmp/dumpcap.log" &
	dump=$!
	await 5 grep -q '^File:' "$tmp/dumpcap.log" && await 5 test -s "$raw" || r=1
	"$@" >"$tmp/command.log" 2>&1 || r=1
	# Done when the file has stopped growing: the last ACK of a close comes after the client has gone.
	while [ "$n" != "$(stat -c %s "$raw")" ]; do
		n=$(stat -c %s "$raw")
		sleep 0.3
	done
	kill -TERM $dump
	wait $dump || true
	if [ $r != 0 ]; then
		echo "$me: ${raw##*/}: failed: $*" >&2
		tail -n 20 "$tmp/command.log" >&2
		return 1
	fi
	if ! grep -q 'received/dropped.*/0 ' "$tmp/dumpcap.log"; then
		echo "$me: ${raw##*/}: dumpcap lost frames:" >&2
		cat "$tmp/dumpcap.log" >&2
		return 1
	fi
	if tshark -r "$raw" -Y 'tcp.analysis.retransmission or tcp.analysis.lost_segment' 2>/dev/null | grep -q .; then
		echo "$me: ${raw##*/}: has retransmissions" >&2
		return 1
	fi
}
