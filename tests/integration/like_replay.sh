# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2154 # pcaps, dir and config are of lib.sh
#
# What a running daemon counts of a capture is what a replay of it counts. Sourced behind lib.sh.

# as_sent CAPTURE [BYTES]: the capture with its cut frames taken for whole, as they are on a link with room for BYTES.
as_sent()
{
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$pcaps /usr/bin/python3 -c '
import pcaplib, sys
with open(sys.argv[2], "wb") as out:
    pcaplib.write_header(out, False)
    for frame in pcaplib.read(sys.argv[1]):
        if len(frame.data) <= int(sys.argv[3]):
            pcaplib.write_frame(out, frame.ns, frame.data, len(frame.data), False)' "$1" "$dir/as-sent.pcap" "${2:-1514}"
}

# replayed: what `replay` counts of it, as show_counts.
replayed()
{
	"$WIRECUE" replay --json --no-redis -c "$config" "$dir/as-sent.pcap" 2>/dev/null |
		/usr/bin/python3 -c '
import json, sys
for app in json.load(sys.stdin)["apps"]:
    print(app["app"], app["flows"], app["packets"], app["bytes"])' | sort
}

counted()
{
	show apps --json | fields app flows packets bytes | sort
}

counts_like_replay()
{
	[ "$(counted)" = "$(replayed)" ]
}
