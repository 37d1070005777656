#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Who a line is, told by RADIUS: radclient is the access server in a network of its own, freeradius the accounting
# server, and wirecue sees what passes between them. A line's address is another's within seconds, and not one byte is
# credited to the wrong one.
for tool in radclient freeradius; do
	command -v "$tool" >/dev/null && continue
	printf 'SKIP: %s\n' "$tool is not installed"
	exit 77
done
. "${0%/*}/lib.sh"

server=192.0.2.1 nas=192.0.2.50 line=10.20.7.7
n_udp=0 # bytes of IP packets that are on the way, all of them

in_nas()
{
	nsenter -t "$nas_pid" -n "$@"
}

# links: the access server's network, and a line behind it.
links()
{
	unshare --net sleep infinity &
	nas_pid=$!
	wait_for eval '[ "$(readlink /proc/$nas_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	ip link add here type veth peer name there
	ip link set there netns "$nas_pid"
	ethtool -K here tso off gso off gro off tx off >/dev/null
	in_nas ethtool -K there tso off gso off gro off tx off >/dev/null
	ip address add "$server/24" dev here
	ip link set here up
	in_nas ip link set lo up
	in_nas ip address add "$nas/24" dev there
	in_nas ip address add "$line/32" dev lo
	in_nas ip link set there up
	ip route add "$line/32" via "$nas"
}

accounting_server()
{
	mkdir "$dir/raddb"
	cat >"$dir/raddb/radiusd.conf" <<-END
		prefix = /usr
		logdir = $dir
		run_dir = $dir
		security {
			allow_core_dumps = no
		}
		client nas {
			ipaddr = $nas
			secret = laboratory
		}
		modules {
			always ok {
				rcode = ok
			}
		}
		server lab {
			listen {
				type = acct
				ipaddr = $server
				port = 1813
			}
			preacct {
				ok
			}
			accounting {
				ok
			}
		}
	END
	freeradius -f -l "$dir/radius.log" -d "$dir/raddb" >"$dir/radius.out" 2>&1 </dev/null &
}

# account STATUS SESSION USER ADDRESS [ATTRIBUTE…]: answered by the server.
account()
{
	printf '%s\n' "Acct-Status-Type = $1" "Acct-Session-Id = \"$2\"" "User-Name = \"$3\"" \
		"Framed-IP-Address = $4" "NAS-IP-Address = $nas" "${@:5}" |
		in_nas radclient -r 1 -t 5 "$server" acct laboratory >"$dir/radclient.log" 2>&1
}

# talk N SIZE: packets of the line.
talk()
{
	in_nas /usr/bin/python3 - "$line" "$server" "$1" "$2" <<-END
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind((sys.argv[1], 40000))
		for _ in range(int(sys.argv[3])):
		    s.sendto(bytes(int(sys.argv[4])), (sys.argv[2], 7000))
	END
	n_udp=$((n_udp + $1 * ($2 + 28)))
}

# used WHO: bytes, up and down; 0 where nothing is known.
used()
{
	show subscriber "$1" --json 2>/dev/null | /usr/bin/python3 -c '
import json, sys
text = sys.stdin.read()
print(sum(u["up_bytes"] + u["down_bytes"] for u in json.loads(text)["usage"]) if text else 0)'
}

# row WHAT: of show signalling.
row()
{
	show signalling --json | fields what count | awk -v what="$1" '$1 == what { print $2 }'
}

links
redis_start
accounting_server
/usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("'"$server"'", 7000))
while True:
    s.recv(2000)' &
write_config "$(tap here)" </dev/null
sed -i 's/sources: \[/sources: [radius, /; s/^binding: {/binding: {reuse_guard: 1s, /' "$config"
start
wait_for account Start S-0 nobody@example.net 10.20.7.1
ok "the accounting server answers"
wait_for eval '[ "$(row bound)" = 1 ]'

talk 3 100
account Start S-1 first@example.net "$line" '3GPP-IMSI = "001010000000001"'
wait_for eval '[ "$(row bound)" = 2 ]'
sleep 1.5 # what passes in one second with the change is nobody's
talk 20 400
sleep 1.2
account Stop S-1 first@example.net "$line"
wait_for eval '[ "$(row bound)" = 1 ]'
talk 2 200
account Start S-2 second@example.net "$line" '3GPP-IMSI = "001010000000002"'
wait_for eval '[ "$(row bound)" = 2 ]'
sleep 2.5
talk 30 600
wait_for eval '[ "$(used imsi:001010000000002)" -gt 0 ]'
sleep 1.2
equal "the first has what passed while the address was his" "$(used imsi:001010000000001)" $((20 * 428))
equal "the second has what passed since it is his" "$(used imsi:001010000000002)" $((30 * 628))
equal "and what passed before and between was seen, too" "$(show apps --json | fields app up_bytes down_bytes | awk '$1 != "radius" && $1 != "mobile-core" { n += $2 + $3 } END { print n }' | awk -v all="$n_udp" '{ print ($1 >= all) }')" 1
equal "each request and each answer was read" "$(row radius)" 8
equal "nothing was refused or lost" "$(row refused) $(row dropped) $(row unread)" "0 0 0"
check "no identifier is in the log" eval '! grep -E "00101|example\.net|10\.20\.7" "$log"'
stop
equal "it ends well" "$status" 0
[ "$n_failed" -eq 0 ]
