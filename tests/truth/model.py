#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The smallest program that keeps the command's contract on bad input: it counts records and nothing
else. `selftest` runs hostile and determinism against it, faultless and with one fault at a time
(environment variable FAULT), to see them pass and fail."""

import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True

import capture as capture_file

FAULT = os.environ.get("FAULT", "")


def fail(code, text):
    sys.stderr.write("wirecue: " + "".join(c if c.isprintable() else "?" for c in text) + "\n")
    sys.exit(code)


def parse(argv):
    if argv[:3] != ["replay", "--json", "--no-redis"]:
        fail(2, "the first argument is not a command")
    options, paths = {}, []
    rest = iter(argv[3:])
    for word in rest:
        if word in ("--flows", "--triggers", "--workers", "-c"):
            options[word] = next(rest)
        elif word.startswith("-"):
            fail(2, f"{word} is not an option of replay")
        else:
            paths.append(word)
    if not paths:
        fail(2, "replay needs at least one capture")
    if not 1 <= int(options.get("--workers", 1)) <= 64:
        fail(2, "the number of workers is from 1 to 64")
    if "-c" in options:
        fail(2, f"{options['-c']} cannot be read as a configuration")
    return options, paths


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    cap = capture_file.walk(data)
    # libpcap's limit on the captured length of one record
    bad = next((i for i, r in enumerate(cap.records) if r.caplen > 262144), None)
    if bad is not None:
        cap.records, cap.is_broken, cap.damage = cap.records[:bad], True, "captured length too big"
    foreign = next((i for i, r in enumerate(cap.records) if r.linktype in cap.unsupported_linktypes), None)
    if foreign is not None:
        cap.damage = f"link type {cap.records[foreign].linktype}"
        cap.records, cap.is_broken = cap.records[:foreign], True
    if cap.container == "pcapng":
        check_trailers(data, cap)
    return cap


def check_trailers(data, cap):
    for i, record in enumerate(cap.records):
        total = data[record.offset + 4 : record.offset + 8]
        end = record.offset + int.from_bytes(total, "little")
        if data[end - 4 : end] != total:
            cap.records, cap.is_broken, cap.damage = cap.records[:i], True, "trailer differs"
            return


def main():
    options, paths = parse(sys.argv[1:])
    n_packets = n_bytes = 0
    trouble = ""
    for path in paths:
        try:
            cap = read(path)
        except OSError as e:
            fail(1, f"cannot read the capture {path!a}: {e.strerror}")
        if not cap.linktypes:
            fail(1, f"{path!a} is not a capture file: {cap.damage}")
        if cap.linktypes[0] not in capture_file.LINKTYPES_SUPPORTED:
            fail(1, f"{path!a} has link type {cap.linktypes[0]}, which is not supported")
        n_packets += cap.n_packets
        n_bytes += cap.n_bytes
        trouble = trouble or (cap.is_broken and f"{path!a} breaks off: {cap.damage}")
    if FAULT == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if FAULT == "workers" and options.get("--workers") == "4":
        n_bytes += 1
    outcomes = {"counted": n_packets + (FAULT == "outcomes")}
    totals = {"packets": n_packets, "bytes": n_bytes, "outcomes": outcomes, "flows": 0}
    if FAULT == "time":
        totals["elapsed_ns"] = time.time_ns()
    try:
        for option in ("--flows", "--triggers"):
            if option in options:
                with open(options[option], "w", encoding="utf-8") as f:
                    f.write("" if options[option] != "/dev/full" else "x")
    except OSError as e:
        fail(1, f"cannot write {options[option]!a}: {e.strerror}")
    print(json.dumps(totals | {"apps": [], "usage": [], "triggers": {}, "suppressed": {}}))
    if trouble and FAULT != "silent":
        if FAULT == "chatty":
            sys.stderr.write("EAL: one more line of noise\n")
        fail(1, trouble)


if __name__ == "__main__":
    main()
