#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `wirecue store`: on a sound store, a missing and a damaged one, under a writer, with somebody else in it, on a full disk.
. "${0%/*}/lib.sh"

export WIRECUE # for shells of their own
maker=$WIRECUE_BUILD/tests/lib/store_maker
store=$dir/store
key=$store/identity.key
ok_line='ok: every page, checksum and value can be read'

store()
{
	"$WIRECUE" store "$@"
}

# make_store [TICKS]: a fresh one in $store.
make_store()
{
	rm -rf -- "$store" "$dir"/copy*
	"$maker" make "$store" "$dir/key" "${1:-30}" && mv "$dir/key" "$key"
}

# said COMMAND...: its standard output, whatever becomes of it.
said()
{
	"$@" 2>"$dir/err" || true
}

# flip FILE OFFSET: another byte there.
flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf %02x $((byte ^ 0x55)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# judged FILE: a check ends with 0, or with 1 and one sentence; nothing else.
judged()
{
	quiet timeout 60 "$WIRECUE" store check "$1"
	[ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -q '^wirecue: ' "$dir/err"; }
}

refused()
{
	judged "$1" && [ "$status" -eq 1 ]
}

# nothing_else: the folder has what a store has, and no draft.
nothing_else()
{
	[ -z "$(find "$1" -mindepth 1 ! -name wirecue.mdb ! -name wirecue.mdb-lock ! -name writer.lock ! -name identity.key)" ]
}

# --- a sound one ---------------------------------------------------------------------------------

make_store
check "a store is sound" matches "$(store check "$store")" "$ok_line"
equal "its tables are counted" "$(store check "$store" | awk '/^(journal|profiles|outbox|apps|gaps) +[0-9]+ +[0-9]+$/ { print $2 }' | xargs)" "30 100 7 3 1"
check "its watermark is told" matches "$(store check "$store")" 'watermark  2026-03-01T00:00:30.000Z'
check "its outbox is told" matches "$(store check "$store")" '2 waiting, 5 retained, last sequence 30'
equal "as an object, too" "$(store check "$store" --json | fields ok sequence waiting watermark)" "true 30 2 2026-03-01T00:00:30.000Z"
equal "--store names it" "$(store check --store "$store" | tail -n 1)" "$ok_line"
equal "so does the environment" "$(WIRECUE_STORE=$store "$WIRECUE" store check | tail -n 1)" "$ok_line"
printf 'node: lab\nstore: {path: %s}\ntold: {files: [absent.yaml]}\n' "$store" >"$dir/broken.yaml"
equal "and a configuration, whatever else is wrong with it" "$(store check -c "$dir/broken.yaml" | tail -n 1)" "$ok_line"

equal "a dump has every value" "$(store dump "$store" | fields table | sort | uniq -c | awk '{ print $1 $2 }' | xargs)" \
	"3apps 1gaps 30journal 4meta 7outbox 100profiles 1tags"
store dump "$store" >"$dir/dump1"
store dump "$store" >"$dir/dump2"
check "twice the same" cmp -s "$dir/dump1" "$dir/dump2"
equal "one table alone" "$(store dump "$store" --table apps | fields key name | xargs)" "3 film 4 series 5 chat"
equal "a trigger with its event" "$(store dump "$store" --table outbox | tail -n 1 | fields key subject event.data.tick)" \
	"30 abcdefghijklmnop 30"
equal "identities are sealed" "$(store dump "$store" --table profiles | fields identity | sort -u)" "sealed"
check "nothing in it names a person" eval '! store dump "$store" | grep -q "+999\|00101"'
equal "who has the key may see them" \
	"$(said store dump "$store" --table profiles --reveal --key-file "$key" | head -n 1 | fields identity.msisdn)" "+99900000001"
check "and the log tells of it" grep -q ' notice store_revealed path=' "$dir/err"
openssl rand -hex 32 >"$dir/other.key" && chmod 600 "$dir/other.key"
ends "with another key nothing is seen" 1 "store_revealed|profiles.*cannot be read" bash -c \
	'"$WIRECUE" store dump "$0" --table profiles --reveal --key-file "$1" 2>&1 >/dev/null | grep -v store_revealed >&2; exit "${PIPESTATUS[0]}"' \
	"$store" "$dir/other.key"
check "a reader that stops early is no failure" eval 'set -o pipefail; store dump "$store" | head -n 1 >/dev/null'

# --- compact, backup, restore --------------------------------------------------------------------

before=$(stat -c %s "$store/wirecue.mdb")
chown 65534:65534 "$store" "$store"/*
chmod 640 "$store/wirecue.mdb"
check "compact says what it gained" matches "$(store compact "$store")" "$before bytes before, [0-9]+ after"
check "it is smaller" [ "$(stat -c %s "$store/wirecue.mdb")" -lt "$before" ]
store dump "$store" >"$dir/dump2"
check "and the same" cmp -s "$dir/dump1" "$dir/dump2"
equal "owner and mode stay" "$(stat -c '%u:%g %a' "$store/wirecue.mdb")" "65534:65534 640"
equal "the daemon's user can lock it" "$(stat -c %u "$store/writer.lock")" 65534
check "nothing is left behind" nothing_else "$store"

check "a backup tells what is in it" matches "$(store backup "$store" "$dir/copy")" \
	"copy, [0-9]+ bytes, checked; watermark 2026-03-01T00:00:30.000Z, last sequence 30.*$key"
equal "it is for its owner only" "$(stat -c %a "$dir/copy")" 600
store dump "$dir/copy" >"$dir/dump2"
check "and is the store" cmp -s "$dir/dump1" "$dir/dump2"
check "a check leaves no lock file beside it" [ ! -e "$dir/copy-lock" ]
check "the key is not in it" eval '! grep -qaF "$(cat "$key")" "$dir/copy"'
ends "it does not replace a file" 1 "is there already.*--force" "$WIRECUE" store backup "$store" "$dir/copy"
check "unless it is told to" quiet store backup "$store" "$dir/copy" --force
store backup "$store" - 2>"$dir/err" >"$dir/copy2"
check "standard output takes one" matches "$(store check "$dir/copy2")" "$ok_line"
check "and standard error the report" grep -q 'check it where it arrives' "$dir/err"
ends "not into a folder" 1 "no regular file" "$WIRECUE" store backup "$store" "$dir" --force
ends "not beside a file that cannot be" 1 "cannot write beside '/nowhere/copy'" "$WIRECUE" store backup "$store" /nowhere/copy

"$maker" make "$dir/newer" "$dir/key" 40
check "restore tells what comes next" matches "$(store restore "$dir/newer" "$dir/copy")" \
	"restored: .*watermark 2026-03-01T00:00:30.000Z, last sequence 30.*set aside: .*before-restore-.*missing: .*identity.key.*next: usage since"
equal "it is in place" "$(store check "$dir/newer" --json | fields sequence)" 30
equal "what was there is kept" "$(store check "$dir"/newer/before-restore-*/wirecue.mdb --json | fields sequence)" 40
check "into an empty folder nothing is set aside" eval '! store restore "$dir/empty" "$dir/copy" | grep -q "set aside"'
equal "it is in place there, too" "$(store check "$dir/empty" --json | fields sequence)" 30
check "the daemon's interface opens it" quiet timeout 20 "$maker" make "$dir/empty" "$key" 0
ends "a folder is no backup" 1 "is no regular file|no store" "$WIRECUE" store restore "$store" "$dir"

# --- the versions of the catalogue ---------------------------------------------------------------

# commit_version STORE NUMBER TEXT: as a daemon does it.
commit_version()
{
	local sum

	mkdir -p "$1/catalogues/00000$2"
	printf '%s\n' "$3" >"$1/catalogues/00000$2/apps.yaml"
	sum=$(sha256sum <"$1/catalogues/00000$2/apps.yaml" | cut -c1-64)
	printf '{"version":%d,"time":"2026-03-01T18:00:00.000Z","what":"committed","who":"root","why":"","file":"/etc/apps.yaml","sha256":"%s","configured":""}\n' \
		"$2" "$sum" >>"$1/catalogues/history"
}

make_store
check "a backup without versions says so" matches "$(store backup "$store" "$dir/copy0")" "catalogue: no version yet"
check "and so does its check" matches "$(store check "$dir/copy0")" "catalogue  no version"
commit_version "$store" 1 first
commit_version "$store" 2 second
check "a backup has the versions" matches "$(store backup "$store" "$dir/copy")" "catalogue: version 2 in force; 2 with a copy, and the history"
check "a check of it tells of them" matches "$(store check "$dir/copy")" "catalogue  version 2 in force; 2 with a copy.*$ok_line"
equal "as an object, too" "$(store check "$dir/copy" --json | fields ok catalogue.in_force catalogue.versions catalogue.lines)" "true 2 2 2"
store backup "$store" - 2>"$dir/err" >"$dir/copy2"
check "standard output takes the same" cmp -s "$dir/copy" "$dir/copy2"
cp -r "$store/catalogues" "$dir/kept"
rm -rf "$store/catalogues"
commit_version "$store" 1 other
chown 65534:65534 "$store"
check "a restore brings them back" matches "$(store restore "$store" "$dir/copy")" "catalogue: version 2 was in force; 2 with a copy, and the history"
check "byte for byte" diff -r "$dir/kept" "$store/catalogues"
equal "for the daemon's user" "$(find "$store/catalogues" ! -user 65534)" ""
equal "what was there is kept" "$(cat "$store"/before-restore-*/catalogues/000001/apps.yaml)" other
check "nothing else is left" eval '[ -z "$(find "$store" -maxdepth 1 -name "catalogues.*")" ]'
check "a backup of it is sound" quiet store backup "$store" "$dir/copy3"
check "its file alone is a store as ever" matches "$(store check "$store/wirecue.mdb")" "catalogue  its versions are not in it: .*$ok_line"

size=$(stat -c %s "$dir/copy")
begin=$(grep -abo 'wirecue-catalogues 1' "$dir/copy" | tail -n 1 | cut -d: -f1)
n_bad=0
for ((len = begin; len < size; len += 13)); do
	head -c "$len" "$dir/copy" >"$dir/cut"
	refused "$dir/cut" || n_bad=$((n_bad + 1))
done
equal "every truncation in them is refused" "$n_bad" 0
head -c "$begin" "$dir/copy" >"$dir/cut"
ends "so is one just before them" 1 "the versions of the catalogue, which should follow" "$WIRECUE" store check "$dir/cut"
n_bad=0
for ((at = begin; at < size; at += 17)); do
	cp "$dir/copy" "$dir/flipped"
	flip "$dir/flipped" "$at"
	refused "$dir/flipped" || n_bad=$((n_bad + 1))
done
equal "every byte of them counts" "$n_bad" 0
ends "damaged ones are not restored" 1 "versions of the catalogue are damaged" "$WIRECUE" store restore "$store" "$dir/flipped"
check "what was there stays" diff -r "$dir/kept" "$store/catalogues"
check "and nothing else" eval '[ -z "$(find "$store" -maxdepth 1 -name "catalogues.*" -o -maxdepth 1 -name "wirecue.mdb.*")" ]'
cp "$dir/copy" "$dir/flipped"
flip "$dir/flipped" 520
ends "nor is one whose mark is damaged" 1 "its first page does not say so" "$WIRECUE" store restore "$store" "$dir/flipped"

dd if=/dev/zero of="$dir/cut" bs=1 seek=512 count=64 conv=notrunc status=none # as an older wirecue made it
check "one of an older wirecue is sound" matches "$(store check "$dir/cut")" "catalogue  its versions are not in it: no backup, or one of an older wirecue"
check "and restored, with what that means" matches "$(store restore "$store" "$dir/cut")" "catalogue: the backup has no versions \(an older wirecue made it\); those of this store stay"
check "they do" diff -r "$dir/kept" "$store/catalogues"

printf 'forged\n' >"$store/catalogues/000001/apps.yaml"
check "a damaged copy is left out, and told" matches "$(store backup "$store" "$dir/copy4")" \
	"catalogue: version 2 in force; 1 with a copy.*not in it: 1 of .*the copy of version 1 is damaged"
truncate -s -9 "$store/catalogues/history"
check "without a history there are none" matches "$(store backup "$store" "$dir/copy5")" "not in it: the versions of the catalogue: the last line"
check "which its check knows" matches "$(store check "$dir/copy5")" "catalogue  its versions are not in it: they could not be read when it was made"
rm -rf "$dir/kept"

# --- somebody else is in it ----------------------------------------------------------------------

make_store
"$maker" hold "$store" "$key" >"$dir/held" &
holder=$!
wait_for grep -q ready "$dir/held"
check "a check does not mind a daemon" matches "$(store check "$store")" "$ok_line"
check "a backup does not" quiet store backup "$store" "$dir/copy"
ends "compact does" 1 "another process \($holder\) writes to the store" "$WIRECUE" store compact "$store"
ends "restore does" 1 "another process \($holder\) writes to the store" "$WIRECUE" store restore "$store" "$dir/copy"
kill "$holder" && wait "$holder"
check "nothing is left behind by those" nothing_else "$store"

"$maker" make "$dir/large" "$dir/large.key" 2000
mkfifo "$dir/slow"
"$WIRECUE" store dump "$dir/large" >"$dir/slow" &
reader=$!
exec 3<"$dir/slow" # it reads, and waits for us once the pipe is full
read -r _ <&3
ends "compact waits for readers" 1 "somebody reads the store" "$WIRECUE" store compact "$dir/large"
kill "$reader" && wait "$reader" 2>/dev/null
exec 3<&-
check "a reader that was stopped is in nobody's way" quiet store compact "$dir/large"

make_store 1
"$maker" write "$dir/busy" "$dir/busy.key" &
writer=$!
wait_for eval '[ "$(store check "$dir/busy" --json 2>/dev/null | fields sequence)" -gt 20 ]'
for i in 1 2 3 4 5 6 7 8; do
	store backup "$dir/busy" "$dir/copy$i" >/dev/null || break
	store dump "$dir/copy$i" >"$dir/dump1"
	# The last tick of the journal, the last trigger, the numbers, the node and the watermark are of one tick.
	equal "copy $i under a writer is of one moment" "$(/usr/bin/python3 - "$dir/dump1" <<-'END'
		import json, sys
		rows = [json.loads(line) for line in open(sys.argv[1])]
		meta = {r["what"]: r for r in rows if r["table"] == "meta"}
		times = {max(r["end"] for r in rows if r["table"] == "journal"), meta["engine"]["time"], meta["committed"]["watermark"],
		         max(r["entered"] for r in rows if r["table"] == "outbox")}
		numbers = {max(r["key"] for r in rows if r["table"] == "outbox"), meta["outbox"]["all"]["last"], meta["committed"]["serial"],
		           max(r["own_bytes"] for r in rows if r["table"] == "profiles"), meta["engine"]["seen_bytes"]}
		print(len(times), len(numbers))
	END
	)" "1 1"
done
check "a check under a writer is sound" matches "$(store check "$dir/busy")" "$ok_line"
kill "$writer" && wait "$writer"
check "the writer never noticed" matches "$(store check "$dir/busy")" "$ok_line"

# --- what is no store, or damaged ----------------------------------------------------------------

mkdir "$dir/nothing"
for what in check dump compact; do
	ends "$what: an empty folder is no store" 1 "there is no store at '$dir/nothing/wirecue.mdb'" "$WIRECUE" store "$what" "$dir/nothing"
	ends "$what: a missing one neither" 1 "there is no store at '/nowhere'" "$WIRECUE" store "$what" /nowhere
done
ends "backup: an empty folder is no store" 1 "there is no store at" "$WIRECUE" store backup "$dir/nothing" "$dir/copy-none"
ends "restore: a missing file" 1 "there is no store at '/nowhere'|cannot" "$WIRECUE" store restore "$dir/nothing" /nowhere
check "nothing was made of them" eval '[ -z "$(ls -A "$dir/nothing")" ] && [ ! -e "$dir/copy-none" ] && [ ! -e /nowhere ]'
printf 'this is no store\n%.0s' {1..1000} >"$dir/text"
ends "a text is no store" 1 "'$dir/text'" "$WIRECUE" store check "$dir/text"

make_store
store backup "$store" "$dir/copy" >/dev/null
size=$(stat -c %s "$dir/copy")
n_bad=0
for ((len = 0; len < size; len += 1777)); do
	head -c "$len" "$dir/copy" >"$dir/cut"
	refused "$dir/cut" || n_bad=$((n_bad + 1))
done
equal "every truncation is refused with a sentence" "$n_bad" 0
n_bad=0
for ((at = 0; at < size; at += 293)); do
	cp "$dir/copy" "$dir/flipped"
	flip "$dir/flipped" "$at"
	judged "$dir/flipped" || n_bad=$((n_bad + 1))
done
equal "no flipped byte does more than a sentence" "$n_bad" 0
n_bad=0
while IFS=: read -r at _; do
	cp "$dir/copy" "$dir/flipped"
	flip "$dir/flipped" "$at"
	refused "$dir/flipped" || n_bad=$((n_bad + 1))
done < <(grep -abo 'abcdefghijklmnop\|film\|fixture' "$dir/copy")
equal "and none in a value is missed" "$n_bad" 0

sum=$(sha256sum <"$store/wirecue.mdb")
ends "a damaged backup is not restored" 1 "'$dir/flipped'.*" "$WIRECUE" store restore "$store" "$dir/flipped"
equal "the store is what it was" "$(sha256sum <"$store/wirecue.mdb")" "$sum"
check "and nothing is beside it" nothing_else "$store"
cp "$dir/flipped" "$store/wirecue.mdb"
rm -f "$store/wirecue.mdb-lock"
for what in check dump compact; do
	ends "$what: a damaged store" 1 "'$store(/wirecue.mdb)?'.*" "$WIRECUE" store "$what" "$store"
done
ends "backup: a damaged store" 1 "copy3" "$WIRECUE" store backup "$store" "$dir/copy3"
check "leaves no copy" eval '[ -z "$(ls "$dir"/copy3* 2>/dev/null)" ]'
check "a backup mends it" quiet store restore "$store" "$dir/copy"
check "it is sound again" matches "$(store check "$store")" "$ok_line"

# --- full disk, interrupted ----------------------------------------------------------------------

make_store
mkdir "$dir/small"
mount -t tmpfs -o size=140k tmpfs "$dir/small"
ends "a backup onto a full disk" 1 "cannot write the copy: No space left" bash -c \
	'head -c 110000 /dev/zero >"$1/fill"; exec "$WIRECUE" store backup "$0" "$1/copy"' "$store" "$dir/small"
equal "leaves nothing" "$(ls "$dir/small")" fill
rm "$dir/small/fill"
cp "$store/wirecue.mdb" "$dir/small/"
truncate -s 0 "$dir/small/fill" && head -c 200000 /dev/zero >"$dir/small/fill" 2>/dev/null
sum=$(sha256sum <"$dir/small/wirecue.mdb")
ends "compact on a full disk" 1 "No space left" "$WIRECUE" store compact "$dir/small"
equal "leaves the store as it is" "$(sha256sum <"$dir/small/wirecue.mdb")" "$sum"
rm "$dir/small/fill"
check "and no draft" nothing_else "$dir/small"
check "with room it works" quiet store check "$dir/small"
umount "$dir/small"

mkfifo "$dir/stuck"
exec 4<>"$dir/stuck"
"$WIRECUE" store backup "$dir/large" - >"$dir/stuck" 2>/dev/null &
stuck=$!
wait_for eval '[ "$(pgrep -P "$stuck" | wc -l)" -ge 1 ]'
kill -TERM "$stuck" # SIGINT is ignored by what a script starts in the background
check "who is stuck in a pipe can be stopped" eval '! wait "$stuck"'
exec 4<&-
printf x >"$store/wirecue.mdb.AbCdEf" # as a killed compact leaves it
check "what a killed one has left is swept away" quiet store compact "$store"
check "and only that" nothing_else "$store"

# --- usage ---------------------------------------------------------------------------------------

ends "nothing to do" 2 "nothing to do, expected check, dump" "$WIRECUE" store
ends "a wrong word" 2 "'verify', expected check, dump, compact" "$WIRECUE" store verify
ends "an option of another one" 2 "'--force' is no option of check" "$WIRECUE" store check "$store" --force
ends "no table of that name" 2 "'users' is no table, expected one of meta" "$WIRECUE" store dump "$store" --table users
ends "--reveal needs the key" 2 "expected --reveal and --key-file together" "$WIRECUE" store dump "$store" --reveal
ends "backup needs a file" 2 "no FILE, expected where to write" "$WIRECUE" store backup
ends "restore, too" 2 "no FILE, expected a copy" "$WIRECUE" store restore
ends "a word too many" 2 "'c' is too much" "$WIRECUE" store backup a b c
ends "two stores" 2 "with --store, expected one of them" "$WIRECUE" store check a --store b
