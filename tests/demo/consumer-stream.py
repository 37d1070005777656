#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An offer engine that must not miss anything: a consumer group on the stream.

It reads what it had not acknowledged before it died, then what is new; acts; acknowledges. An id
that it has seen is not acted on again. A real one keeps ids as long as triggers are valid
(expirytime) and where a crash does not lose them; this one keeps them in memory."""

import argparse
import json
import signal
import sys
import time

import redis

from trigger_text import line_of


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="redis://127.0.0.1:6379")
    parser.add_argument("--prefix", default="wirecue:")
    parser.add_argument("--group", default="offers")
    parser.add_argument("--name", default="offers-1", help="this consumer's name in the group")
    parser.add_argument("--ids", help="write the id of each trigger acted on to this file")
    return parser.parse_args()


def join(server, stream, group):
    """Make the group from the beginning of the stream, whether the stream exists yet or not."""
    try:
        server.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def entries(server, stream, group, name):
    """First what we had taken and not acknowledged ("0"), then what nobody had (">")."""
    position = "0"
    while True:
        answer = server.xreadgroup(group, name, {stream: position}, count=100, block=200)
        batch = answer[0][1] if answer else []
        yield from batch
        if position != ">":
            position = batch[-1][0] if batch else ">"


def consume(args, seen, ids):
    server = redis.Redis.from_url(args.url, decode_responses=True)
    stream = f"{args.prefix}triggers:{{0}}"
    join(server, stream, args.group)
    for entry_id, fields in entries(server, stream, args.group, args.name):
        event = json.loads(fields["event"]) if fields else None  # trimmed while it was pending
        if event is not None and event["id"] not in seen:
            seen.add(event["id"])
            print(f"stream   {line_of(event)}", flush=True)
            if ids is not None:
                print(event["id"], file=ids, flush=True)
        server.xack(stream, args.group, entry_id)


def main():
    args = parse_args()
    seen = set()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ids = open(args.ids, "w", encoding="utf-8") if args.ids else None
    while True:
        try:
            consume(args, seen, ids)
        except redis.ConnectionError as error:
            print(f"stream   no Redis, trying again: {error}", file=sys.stderr)
            time.sleep(0.5)


if __name__ == "__main__":
    main()
