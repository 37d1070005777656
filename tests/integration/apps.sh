#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The catalogue of a running daemon: staged, committed, rolled back, under traffic, over restarts and kills.
. "${0%/*}/lib.sh"

apps()
{
	"$WIRECUE" apps "$@"
}

# catalogue FILE APP: where www.rival-mobile.example belongs to APP.
catalogue()
{
	printf 'apps:\n  - {name: %s, category: competitor, hosts: [rival-mobile.example]}\n' "$2" >"$1"
}

# result FIELD: of the last `quiet apps … --json`.
result()
{
	fields "$1" <"$dir/out"
}

# in_force [FIELD]: of the version in force, as the history says.
in_force()
{
	apps history --json | fields in_force "${1:-version}" | awk '$1 == "true" { print $2 }'
}

# goes_to APP: a flow that begins now is of that app.
goes_to()
{
	local before
	before=$(app "$1" flows)

	send va "$pcaps/recorded/tls-rival.pcap" --loop=1
	wait_for eval '[ "$(app '"$1"' flows)" -gt '"$before"' ]'
}

# keep_sending: flows of 32 frames until there are enough.
keep_sending()
{
	local n=0

	until [ -e "$dir/enough" ]; do
		tcpreplay -i va --pps="$pps" --loop=20 "$pcaps/recorded/tls-rival.pcap" >"$dir/tcpreplay.log" 2>&1
		n=$((n + 20))
	done
	echo "$n" >"$dir/flows"
}

reload()
{
	local n
	n=$(grep -cE ' (reloaded|reload_refused)( |$)' "$log")

	kill -HUP "$wirecue_pid"
	wait_for eval '[ "$(grep -cE " (reloaded|reload_refused)( |$)" "$log")" -gt '"$n"' ]'
}

rules='rules: [{id: rivals, detect: competitor, class: retention, purpose: retention, min_days: 1, visit_flows: 1}]'
veth va vb
redis_start
mkdir "$dir/mine"
catalogue "$dir/apps.yaml" first
catalogue "$dir/mine/second.yaml" second
write_config "$(tap vb)" <<-END
	apps: apps.yaml
	store: {path: $dir/store}
	$rules
END

start
equal "the first start takes the configured file" "$(apps history --json | fields version in_force what who)" "1 true started null"
equal "whose digest is that of sha256sum" "$(in_force sha256)" "$(sha256sum "$dir/apps.yaml" | cut -c1-12)"
ends "nothing staged is nothing to commit" 1 'nothing is staged: `wirecue apps stage FILE` comes first' "$WIRECUE" apps commit
ends "nor is there something to go back to" 1 'there is no version before the one in force' "$WIRECUE" apps rollback

# A bad file: every mistake, and nothing changes.
printf 'apps:\n  - {name: A B, category: x, hosts: [a.example]}\n  - {name: c, category: x, host: [c.example]}\n' >"$dir/mine/bad.yaml"
quiet apps stage "$dir/mine/bad.yaml"
equal "a file with mistakes ends with 2" "$status" 2
check "and tells each with its place" eval \
	'[ "$(grep -c "^$dir/mine/bad.yaml:[23]:[0-9]*: .*, expected" "$dir/err")" -ge 2 ]'
check "the log tells of it, without its path" eval \
	'says catalogue_refused "who=root what=stage mistakes=$(wc -l <"$dir/err")" && ! grep -q "bad.yaml" "$log"'
cp "$dir/err" "$dir/told"
quiet apps stage "$dir/mine/bad.yaml" --json
equal "as JSON it ends with 2, and says nothing beside it" "$status $(cat "$dir/err")" "2 "
equal "but an object of the change" "$(result state | head -n 1)" refused
equal "and one of each mistake" "$(result at | tail -n +2)" "$(cat "$dir/told")"
equal "nothing is staged by it" "$(show staged --json | fields state)" nothing
printf 'apps:\n  - {name: a, category: x, hosts: [a.example]}\n' >"$dir/mine/small.yaml"
quiet apps stage "$dir/mine/small.yaml"
equal "nor a catalogue that the rules do not fit" "$status" 2
check "which is said of the rule" grep -q "wirecue.yaml: rule 'rivals', expected" "$dir/err"
{
	echo apps:
	for n in $(seq 3000); do
		echo "  - {name: X$n, category: x, hosts: [x$n.example]}"
	done
} >"$dir/mine/bad.yaml"
quiet apps stage "$dir/mine/bad.yaml"
equal "3000 mistakes come over the socket" "$(grep -c "expected a name of a-z" "$dir/err")" 3000
mkfifo "$dir/mine/fifo"
ends "what is no file is not waited for" 2 "'$dir/mine/fifo' is no ordinary file" timeout 20 "$WIRECUE" apps stage "$dir/mine/fifo"
ends "a file that is not there is a usage error" 2 "apps stage: .*/none.yaml': No such file" "$WIRECUE" apps stage "$dir/mine/none.yaml"
equal "version 1 is in force as before" "$(in_force)" 1

# A good one, under traffic.
keep_sending &
sender=$!
wait_for eval '[ "$(app first flows)" -gt 20 ]'
quiet apps stage "$dir/mine/second.yaml" --json
equal "a good one is staged" "$status $(result state)" "0 done"
equal "as the next version, of a file that the daemon copied" "$(result version) $(result file)" "2 $dir/mine/second.yaml"
equal "with what it is beside the one in force" \
	"$(result apps) $(result apps_new) $(result apps_gone) $(result hosts) $(result hosts_before)" "1 1 1 1 1"
equal "which is shown" "$(show staged --json | fields state version sha256)" \
	"staged 2 $(sha256sum "$dir/mine/second.yaml" | cut -c1-12)"
equal "and not in force yet" "$(app second flows)" 0
catalogue "$dir/mine/second.yaml" changed # behind it
quiet apps commit --why "a test" --json
equal "a commit puts it in force" "$status $(result version) $(result was)" "0 2 1"
wait_for eval '[ "$(app second flows)" -gt 20 ]'
touch "$dir/enough"
wait "$sender"
n_flows=$(cat "$dir/flows")
n_sent=$((n_flows * 32))
wait_for has_received
ok "no frame was lost over it"
wait_for ledger_adds_up
ok "each has one outcome"
wait_for eval '[ $(($(app first flows) + $(app second flows))) = "$n_flows" ]'
ok "and all flows are credited, to the one or the other"
equal "the history says who and why" "$(apps history --json | fields version in_force what who why | sed -n 1p)" \
	"2 true committed root a test"
check "and so does the log, without the why" eval 'says catalogue_committed "who=root version=2 was=1" && ! grep -q "a test" "$log"'
quiet apps test -c "$config" www.rival-mobile.example --json
equal "what is tried offline is tried on it" "$(result app | sed -n 2p) $(fields catalogue.version catalogue.file <"$dir/out" | head -n 1)" \
	"second 2 $dir/store/catalogues/000002/second.yaml"
quiet apps test -c "$config" --apps "$dir/apps.yaml" www.rival-mobile.example
equal "but where a file is named" "$(head -n 1 "$dir/out")" "# catalogue: $dir/apps.yaml"
quiet apps diff "$dir/apps.yaml" -c "$config" --on "$pcaps/recorded/tls-rival.pcap" --json
equal "and compared with it" "$(fields catalogue.version flows.changed <"$dir/out")" "2 1"
quiet setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/open/wirecue" apps test -c "$config" www.rival-mobile.example
equal "who may not look into the store is told" "$(head -n 1 "$dir/out")" \
	"# catalogue: $dir/apps.yaml, the configured file: cannot open '$dir/store/catalogues': Permission denied"
check "the history reads as text" matches "$(apps history | sed -n 2p)" '^2 +true +20[0-9-]+T[0-9:.]+Z +committed +root '
check "what is there is shown without a word" matches "$(show)" '(^|
)history '

# A million hosts: the daemon answers meanwhile, one change waits for the other.
printf 'apps:\n  - {name: many, category: competitor, hosts_file: lists/many.txt}\n' >"$dir/mine/many.yaml"
mkdir "$dir/mine/lists"
seq -f 'h%.0f.example' 1000000 >"$dir/mine/lists/many.txt"
apps stage "$dir/mine/many.yaml" --json >"$dir/many" 2>&1 &
stager=$!
wait_for eval '[[ $(apps rollback 77 2>&1) = *"a catalogue is being staged: ask again when that is done" ]]'
ok "while a large catalogue is read the daemon answers, but takes no second one"
reload
wait "$stager"
equal "a reload that comes meanwhile comes behind it" "$(fields state hosts apps_gone <"$dir/many")" "done 1000000 1"
equal "and version 2 is in force as before" "$(in_force)" 2

# Kills and restarts.
stop KILL
start
equal "killed, it has what was committed" "$(in_force)" 2
check "and works with it" goes_to second
quiet apps stage "$dir/mine/second.yaml"
stop
start
equal "what is staged is forgotten by a stop" "$(show staged --json | fields state)" nothing
equal "what is in force is not" "$(in_force)" 2
reload
equal "a reload leaves it in force" "$(in_force) $(apps history --json | wc -l)" "2 2"
check "and works with it" goes_to second
quiet "$WIRECUE" run --dry -c "$config"
check "a dry run is about the configured file" grep -q "catalogue $dir/apps.yaml: 1 apps" "$dir/out"

# Back, and back again.
quiet apps rollback --why "it was worse" --json
equal "a rollback takes the version before" "$status $(result version) $(result was)" "0 1 2"
check "at once" goes_to first
equal "as a line of the history" "$(apps history --json | fields version in_force what why | sed -n 1p)" "1 true rolled back it was worse"
check "and of the log" says catalogue_rolled_back "who=root version=1 was=2"
ends "what is in force already is no change" 1 'version 1 is in force already' "$WIRECUE" apps rollback 1
ends "nor one that never was" 1 'the history has no version 77' "$WIRECUE" apps rollback 77
ends "nor a word" 2 "rollback: 'latest', expected the number of a version" "$WIRECUE" apps rollback latest
quiet apps rollback 2
equal "any version can be taken" "$status $(in_force)" "0 2"
stop KILL
start
equal "and outlives a kill" "$(in_force)" 2

# The newest wins.
quiet apps stage "$dir/mine/second.yaml"
catalogue "$dir/apps.yaml" third
reload
ends "what was staged over another version is not committed" 1 'version 3 is in force by now' "$WIRECUE" apps commit
equal "a configured file that has changed is a version" "$(apps history --json | fields version in_force what who | sed -n 1p)" "3 true file null"
check "and in force" goes_to third
catalogue "$dir/apps.yaml" fourth
stop
start
equal "at a start as well" "$(apps history --json | fields version in_force what | sed -n 1p)" "4 true file"
check "and in force" goes_to fourth

# Rules that changed meanwhile.
catalogue "$dir/mine/second.yaml" second
sed -i 's/category: competitor/category: other/' "$dir/mine/second.yaml"
sed -i "s/^rules:/#&/" "$config"
reload
quiet apps stage "$dir/mine/second.yaml"
equal "without rules such a catalogue is staged" "$status" 0
sed -i "s/^#rules:/rules:/" "$config"
reload
quiet apps commit
equal "with the rules back it is not committed" "$status $(in_force)" "2 4"

# A configured file with mistakes: what was in force carries the start, and a reload tells them.
cp "$dir/apps.yaml" "$dir/apps.good"
n_lines=$(apps history --json | wc -l)
echo '  - {name: A B, category: x, hosts: [a.example]}' >>"$dir/apps.yaml"
stop
start
check "a configured file with a mistake keeps no start from going on" says catalogue_mistaken "apps.yaml:3:"
equal "what was in force stays" "$(in_force) $(apps history --json | wc -l)" "4 $n_lines"
check "and works" goes_to fourth
quiet apps stage "$dir/mine/small.yaml"
reload
check "a reload is refused for it" eval 'says config_mistake "apps.yaml:3:" && says reload_refused'
stop KILL
start
equal "another start has the same" "$(in_force)" 4
cp "$dir/apps.good" "$dir/apps.yaml"
reload
equal "mended, it is what is in force again" "$(in_force) $(apps history --json | wc -l)" "4 $n_lines"
echo '  - {name: A B, category: x, hosts: [a.example]}' >>"$dir/apps.yaml"
ends "without a version in force it is refused as ever" 2 'apps.yaml:3:' "$WIRECUE" run -c "$config" --store "$dir/empty"
cp "$dir/apps.good" "$dir/apps.yaml"

# Damage.
stop
rm -rf "$dir/store/catalogues/000004"
start
check "a missing copy is told" says catalogue_fallback "version 4"
equal "and the configured file in force" "$(apps history --json | fields version in_force what | sed -n 1p)" "5 true file"
stop
truncate -s -9 "$dir/store/catalogues/history"
start
check "so is a history that was cut off" says catalogue_fallback "cannot be read"
equal "and the configured file in force" "$(apps history --json | fields version in_force what | sed -n 1p)" "6 true file"
check "and works" goes_to fourth
catalogue "$dir/mine/second.yaml" second
quiet apps stage "$dir/mine/second.yaml" && quiet apps commit
equal "and what comes behind it" "$status $(in_force)" "0 7"

# Who may.
wait_for eval 'ls -l /run/wirecue/control.sock'
chmod 755 "$dir/mine"
check "members of the group see the history" quiet setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" apps history
for words in "stage $dir/mine/second.yaml" commit rollback; do
	# shellcheck disable=SC2086 # words
	ends "but cannot ${words%% *}" 1 "only root and the daemon's own user may change something" \
		setpriv --reuid=65534 --regid=0 --clear-groups "$dir/open/wirecue" apps $words
done
equal "version 7 is in force as before" "$(in_force)" 7

# A file that does not answer, such as one of a server that is away: a FIFO that nobody writes to.
mv "$dir/people.yaml" "$dir/people.kept"
mkfifo "$dir/people.yaml"
kill -HUP "$wirecue_pid"
wait_for eval '[[ $(apps rollback 77 2>&1) = *"the configuration is being reloaded"* ]]'
stop
equal "it keeps nobody from stopping" "$status" 0
check "which is said" says stop_stuck "what=reload"
rm "$dir/people.yaml"
mv "$dir/people.kept" "$dir/people.yaml"
start
equal "and what was in force is in force" "$(in_force)" 7

# A full disk.
stop
mkdir "$dir/small"
mount -t tmpfs -o size=8m none "$dir/small"
sed -i "s,^store:.*,store: {path: $dir/small/store}," "$config"
start
quiet apps stage "$dir/mine/second.yaml"
fallocate -l 8m "$dir/small/ballast" 2>/dev/null
dd if=/dev/zero of="$dir/small/more" bs=1 2>/dev/null
ends "on a full disk nothing is committed" 1 'No space left on device' "$WIRECUE" apps commit
equal "and nothing changes" "$(in_force)" 1
ends "nor staged" 1 'No space left on device' "$WIRECUE" apps stage "$dir/mine/second.yaml"
rm "$dir/small/ballast" "$dir/small/more"
quiet apps stage "$dir/mine/second.yaml" && quiet apps commit
equal "with room again it is" "$status $(in_force)" "0 2"
stop
umount "$dir/small"

# Without a store.
sed -i "s,^store:.*,store: {enabled: false}," "$config"
mkdir "$dir/tmp"
TMPDIR=$dir/tmp start
check "without a store copies lie in a temporary folder" compgen -G "$dir/tmp/wirecue-catalogues-*/000001"
quiet apps stage "$dir/mine/second.yaml" && quiet apps commit --json
equal "a commit works, and says that a restart forgets" "$status $(result version) $(result note)" \
	"0 2 a restart forgets it: there is no store"
check "now" goes_to second
quiet apps rollback
equal "and back" "$status $(in_force)" "0 1"
check "at once" goes_to fourth
stop
equal "it ends with success" "$status" 0
equal "and leaves no folder behind" "$(ls "$dir/tmp")" ""
