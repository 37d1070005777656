#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the machine gives or does not give: hugepages, privileges, memory, CPUs; and what is said then.
. "${0%/*}/lib.sh"

works() # WHAT: the daemon starts, counts and ends
{
	start
	n_sent=0
	send va "$pcaps/recorded/tls-switch.pcap"
	wait_for has_received
	stop
	equal "$1" "$status" 0
}

# workers KEYS: instead of those of write_config.
workers()
{
	sed -i "s/^workers:.*/workers: {flows: 64k$1}/" "$config"
}

veth va vb
write_config "$(tap vb)" </dev/null

check "run --dry says what would be started" quiet "$WIRECUE" run -c "$config" --dry
check "with the arguments of the EAL" grep -Eq '^eal +--lcores=.* --vdev net_af_packet0,iface=vb' "$dir/out"
sed 's/name: port1,/name: port1, mtu: 9000, ignore: {vlans: [7, 9-12], networks: [192.0.2.0\/24]},/
	s/flows: 64k/flows: 64k, duplicates: drop, duplicate_window: 1ms/' "$config" >"$dir/dry.yaml"
check "and what a port ignores" eval '"$WIRECUE" run -c "$dir/dry.yaml" --dry | tee "$dir/out" |
	grep -Eq "^port +port1: .*, mtu 9000, ignores VLANs 7 9-12, ignores networks 192.0.2.0/24$"'
check "and what becomes of copies" grep -Eq '^copies +are dropped, within 1 ms$' "$dir/out"
check "and starts nothing" test ! -e /run/wirecue/control.sock
works "it works with what /sys says of hugepages"
mount -t tmpfs none /sys/kernel/mm/hugepages
check "without any it takes ordinary memory" eval '"$WIRECUE" run -c "$config" --dry | grep -q -- --no-huge'
works "and works"

ends "another user may not open a port" 1 'a port takes root, or CAP_NET_RAW and CAP_NET_ADMIN' \
	"${nobody[@]}" "$dir/open/wirecue" run -c "$config" --socket "$dir/nobody.sock"
check "but may replay" quiet "${nobody[@]}" "$dir/open/wirecue" replay --json --no-redis "$dir/open/quic.pcap"
check "and check" quiet "${nobody[@]}" "$dir/open/wirecue" check -c "$config"
# Its ring is locked memory, of which others than root have 8 MB.
chmod 777 /run/wirecue
write_config net_af_packet,iface=vb </dev/null
as=("${nobody[@]::4}" "--inh-caps=+net_raw,+net_admin" "--ambient-caps=+net_raw,+net_admin" "${nobody[@]:4}")
start
ok "with the two capabilities he may"
stop
equal "and it ends with success" "$status" 0
as=()

workers ', eal_extra: [--nonsense]'
ends "an argument that the EAL does not know is one sentence" 1 'cannot start DPDK: .*--nonsense' "$WIRECUE" run -c "$config"
workers ', cpus: ["999"]'
ends "so is a CPU that is not there" 1 'CPU 999 is not there' "$WIRECUE" run -c "$config"
sed -i 's/flows: 64k.*/flows: 256M}/' "$config"
# AddressSanitizer takes terabytes of addresses before anything else.
[ -n "${ASAN_OPTIONS:-}" ] || ends "so is memory that is not there" 1 'lower workers.flows' \
	bash -c "ulimit -v 16000000; exec '$WIRECUE' run -c '$config'"
workers ''

ends "a socket below a folder that is not there is one sentence" 1 "cannot open '/nowhere' for the control socket" \
	"$WIRECUE" run -c "$config" --socket /nowhere/control.sock
ends "a wrong URL of Redis is one sentence" 2 "'ftp://x'" "$WIRECUE" run -c "$config" --redis ftp://x
ends "run without a file is a usage error" 2 'expected -c FILE' "$WIRECUE" run
ends "so is a file that is not there" 2 'nowhere.yaml' "$WIRECUE" run -c "$dir/nowhere.yaml"
ends "and a word too many" 2 "'x' is too much" "$WIRECUE" run -c "$config" x
ends "and an unknown command" 2 "'walk' is no command" "$WIRECUE" walk
grep -v 'name: port' "$config" | sed 's/^ports:/ports: []/' >"$dir/noport.yaml"
ends "and a configuration without ports" 2 'no ports' "$WIRECUE" run -c "$dir/noport.yaml"
