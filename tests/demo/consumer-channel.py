#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A dashboard: a plain SUBSCRIBE to every trigger. What happens while it is away, it misses."""

import argparse
import json
import signal
import sys

import redis

from trigger_text import line_of


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="redis://127.0.0.1:6379")
    parser.add_argument("--prefix", default="wirecue:")
    parser.add_argument("--type", help="only triggers of this type, such as wirecue.app.watched.v1")
    parser.add_argument("--ids", help="write the id of each trigger heard to this file")
    return parser.parse_args()


def main():
    args = parse_args()
    channel = f"{args.prefix}trigger:{args.type}" if args.type else f"{args.prefix}triggers"
    subscription = redis.Redis.from_url(args.url, decode_responses=True).pubsub()
    subscription.subscribe(channel)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ids = open(args.ids, "w", encoding="utf-8") if args.ids else None
    for message in subscription.listen():
        if message["type"] != "message":
            continue
        event = json.loads(message["data"])
        print(f"channel  {line_of(event)}", flush=True)
        if ids is not None:
            print(event["id"], file=ids, flush=True)


if __name__ == "__main__":
    main()
