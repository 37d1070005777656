#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds what the demo has shown against what it promises; prints one line.

Exit code 0: all of it is true; 1: the line says what is not."""

import argparse
import json
import os
import sys

import redis

KINDS = {
    "streaming": ("app.watched", "app.session_started", "app.session_ended"),
    "competitor": ("competitor.interest",),
    "near cap": ("usage.threshold", "usage.nudge", "usage.cap_pattern"),
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--prefix", default="wirecue:")
    parser.add_argument("--report", required=True, help="of the replay that published")
    parser.add_argument("--first-report", required=True, help="of the one that did not")
    parser.add_argument("--stream-ids", required=True, help="what the stream's consumer saw")
    parser.add_argument("--channel-ids", required=True, help="what the channel's consumer heard")
    parser.add_argument("--seconds", type=float, required=True, help="since the demo began")
    parser.add_argument("--limit", type=float, default=30)
    parser.add_argument("--assert", dest="is_strict", action="store_true",
                        help="schemas must be checked, not only if this machine can")
    return parser.parse_args()


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def invalid(events, is_strict):
    """Findings of the schemas."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
    try:
        import jsonschema  # noqa: F401  (the next import ends the process without it)
        import validate_triggers
    except ImportError:
        return ["the schemas were not checked: python3-jsonschema is missing"] if is_strict else []
    validator = validate_triggers.Validator()
    return [
        f"a trigger {event.get('type')} is not valid by its schema ({finding})"
        for event in events
        for finding in validator.findings(event)[:1]
    ]


def numbering(events):
    """Sequences count from 1 without a gap, over all and per type."""
    last = {}
    for i, event in enumerate(events, 1):
        kind = event["type"]
        last[kind] = last.get(kind, 0) + 1
        if int(event["sequence"]) != i or int(event["typesequence"]) != last[kind]:
            yield f"entry {i} of the stream is numbered {event['sequence']}"


def findings(args, events):
    """Sentences about what is not as promised."""
    report = json.loads(read(args.report))
    ids = [event["id"] for event in events]
    published = {
        name.removeprefix("wirecue.").rsplit(".v", 1)[0]
        for name, count in report["triggers"].items()
        if count > 0
    }
    for kind, names in KINDS.items():
        if not published.intersection(names):
            yield f"no trigger of the kind {kind}"
    if not any(reasons.get("G2") for reasons in report["suppressed"].values()):
        yield "nothing was withheld for lack of consent (G2)"
    if len(set(ids)) != len(ids):
        yield "an id stands twice in the stream"
    if sum(report["triggers"].values()) != len(ids):
        yield f"{sum(report['triggers'].values())} were reported, {len(ids)} are in the stream"
    for name, path in (("stream", args.stream_ids), ("channel", args.channel_ids)):
        seen = read(path).split()
        if seen != ids:
            yield f"the consumer of the {name} saw {len(seen)} of {len(ids)}, or in another order"
    yield from numbering(events)
    yield from invalid(events, args.is_strict)
    if read(args.first_report) != read(args.report):
        yield "two replays of one capture reported different things"
    if args.seconds >= args.limit:
        yield f"it took {args.seconds:.1f} s, more than {args.limit:.0f}"


def main():
    args = parse_args()
    server = redis.Redis.from_url(args.url, decode_responses=True)
    events = [
        json.loads(fields["event"])
        for _, fields in server.xrange(f"{args.prefix}triggers:{{0}}")
    ]
    wrong = list(findings(args, events))
    n_withheld = sum(
        sum(reasons.values()) for reasons in json.loads(read(args.report))["suppressed"].values()
    )
    if wrong:
        print(f"NOT as promised: {'; '.join(wrong)}.")
        return 1
    print(
        f"As promised: {len(events)} triggers in order in the stream, each seen by both consumers;"
        f" {n_withheld} withheld with a reason; {args.seconds:.1f} s."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
