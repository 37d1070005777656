#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# SIGHUP: rules and catalogue change under traffic without losing a frame, a mistake changes nothing.
. "${0%/*}/lib.sh"

rule() # ID FURTHER-KEYS
{
	printf 'rules: [{id: %s, detect: competitor, class: retention, purpose: retention, min_days: 1, visit_flows: 1%s}]\n' \
		"$1" "${2:-}"
}

apps() # NAME: what www.rival-mobile.example belongs to
{
	printf 'apps:\n  - {name: %s, category: competitor, hosts: [rival-mobile.example]}\n' "$1" >"$dir/apps.yaml"
}

reload()
{
	local n
	n=$(grep -cE ' (reloaded|reload_refused)( |$)' "$log")

	kill -HUP "$wirecue_pid"
	wait_for eval '[ "$(grep -cE " (reloaded|reload_refused)( |$)" "$log")" -gt '"$n"' ]'
}

refused() # WHAT TEXT: the last reload was refused, for that reason, and the daemon goes on as before
{
	check "$1 is refused" says reload_refused "$2"
	wait_for ledger_adds_up
	check "and the daemon goes on" kill -0 "$wirecue_pid"
	: >"$log"
}

veth va vb
redis_start
apps first
{ rule early ', enabled: false' && echo 'apps: apps.yaml'; } | write_config "$(tap vb)"
start

# A flow begins every 10 ms or so, before, during and after the change.
send va "$pcaps/recorded/tls-rival.pcap" --loop=600 &
sender=$!
wait_for eval '[ "$(app first flows)" -gt 20 ]'
apps second
sed -i 's/id: early/id: late/' "$config"
reload
check "a reload with another catalogue and rule is told" says reloaded "rules=1 apps=1"
wait_for eval '[ "$(app second flows)" -gt 20 ]'
first=$(app first flows)
wait "$sender"
n_sent=19200
wait_for has_received
ok "no frame was lost over it ($n_sent)"
wait_for ledger_adds_up
ok "each has one outcome"
wait_for eval '[ $(($(app first flows) + $(app second flows))) = 600 ]'
ok "nor a flow: all 600 are credited"
equal "none that began later is credited to the old app" "$(app first flows)" "$first"
equal "the old rule withheld, then the new one" \
	"$(show triggers --json | fields state name reason | sort | uniq)" \
	"$(printf 'withheld early G1\nwithheld late G1')"

sed -i 's/, enabled: false//; s/id: late/id: fresh/' "$config"
reload
send va "$pcaps/recorded/tls-rival.pcap" --loop=3
wait_for has competitor.interest
equal "a rule that is not switched off fires" "$(events | fields data.rule.id)" fresh

cp "$config" "$dir/good.yaml"
printf 'tock: 1s\ntick: 10\n' >>"$config"
reload
check "each mistake is told with its place" eval 'says config_mistake "wirecue.yaml:" && [ "$(grep -c config_mistake "$log")" -ge 2 ]'
refused "a file with mistakes" "the configuration in force stays"
for change in 's/iface=vb/iface=va/;ports' 's/^redis:.*/redis: {url: "redis:\/\/127.0.0.1:1"}/;redis' \
	's/^node:.*/node: other/;node' 's/flows: 64k/flows: 128k/;workers' '$a tick: 2s;tick' \
	's/^redis: {/redis: {prefix: "other:", /;redis' '$a control: {socket: other.sock};control'; do
	sed "${change%;*}" "$dir/good.yaml" >"$config"
	reload
	refused "another ${change##*;}" "changed=${change##*;}"
done
cp "$dir/good.yaml" "$config"
reload
check "what is right again is taken again" says reloaded

printf '# of the third\nrival-mobile.example\nRival.example\n' >"$dir/list"
printf 'apps:\n  - {name: third, category: competitor, hosts_file: list}\n' >"$dir/apps.yaml"
reload
check "a mistake in a hosts file is told with its place" says config_mistake "list:3:1: 'Rival.example'"
refused "a catalogue whose hosts file has a mistake" "the configuration in force stays"
sed -i 3d "$dir/list"
reload
send va "$pcaps/recorded/tls-rival.pcap" --loop=10
wait_for has_received
ok "and frames go on coming"
wait_for eval '[ "$(app third flows)" -ge 10 ]'
ok "of the app that the hosts file says"
stop
equal "it ends with success" "$status" 0
