#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An offer engine's side of wirecue: a consumer group on the stream of triggers.

Copy it, replace act(), keep the rest: docs/offer-engine.md says why each step is there. consumer.c
is the same program in C; both may work in one group. Needs Redis 6.2 and redis-py 4.3 or newer.

What it promises: every trigger that is valid is acted on at least once; twice only if this program
dies, or loses Redis, between act() and the one step that marks and acknowledges it. The order of a
subject's triggers is kept as long as all of them come through one consumer (--share)."""

import argparse
import calendar
import collections
import json
import os
import random
import re
import runpy
import signal
import socket
import sys
import time

import redis

OUTCOMES = ("shown", "accepted", "declined", "ignored", "pending")
KEEP_MS = 24 * 3600 * 1000  # a mark outlives its trigger by this: clocks differ
DONE = b"done"
N_TOLD_MAX, N_POISON_MAX = 1_000_000, 100_000  # about so many entries stay


def act(event):
    """Replace this, or name a file with another act() by --act.

    event is the CloudEvent as docs/triggers.md has it. Return one of OUTCOMES when the offer is on
    its way or deliberately not made; None when it cannot be done now: it comes again after
    --min-idle-ms, and meanwhile nothing later is acted on for the same subject. An exception counts as
    a failed try, --tries of them park the entry. Give event["id"] to the system that sends: it can
    refuse what it has sent already, which makes "at least once" exactly once."""
    print("acted", event["id"], event["type"], flush=True)
    return "shown"


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", default="redis://127.0.0.1:6379",
                        help="redis://HOST:PORT[/DB] or unix:///PATH (default: %(default)s)")
    parser.add_argument("--user", help="of Redis; the password is read from the environment, REDISCLI_AUTH")
    parser.add_argument("--prefix", default="wirecue:", help="of all keys (default: %(default)s)")
    parser.add_argument("--group", default="offers", help="consumer group (default: %(default)s)")
    parser.add_argument("--name", default=socket.gethostname(),
                        help="this consumer's, the same after a restart and nobody else's (default: the host's)")
    parser.add_argument("--share", type=share, default=(1, 1), metavar="K/N",
                        help="act only for the K-th of N equal shares of the subjects, in a group of its own")
    parser.add_argument("--count", type=positive, default=100, help="entries a read (default: %(default)s)")
    parser.add_argument("--block-ms", type=positive, default=2000, help="longest wait for news (default: %(default)s)")
    parser.add_argument("--min-idle-ms", type=positive, default=60000,
                        help="take over what others left for so long; more than act() ever takes (default: %(default)s)")
    parser.add_argument("--tries", type=positive, default=3,
                        help="then an entry that is broken, or breaks act(), is parked (default: %(default)s)")
    parser.add_argument("--act", metavar="FILE", help="Python file whose act(event) is to be called")
    parser.add_argument("--act-on-expired", action="store_true", help="for replays of old captures")
    parser.add_argument("--no-feedback", action="store_true", help="tell wirecue nothing")
    return parser.parse_args()


def positive(text):
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"'{text}', expected a whole number from 1 on")
    return int(text)


def share(text):
    match = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
    if not match or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"'{text}', expected K/N such as 2/4")
    return int(match[1]), int(match[2])


def say(text):
    """For the log. Never a subject: it may be somebody's number."""
    print(f"consumer: {text}", file=sys.stderr, flush=True)


# --- one event -------------------------------------------------------------------------------------


def ms_of(utc):
    """RFC 3339 as wirecue writes it, in UTC, with or without fractions."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", utc)
    if not match:
        raise ValueError("a time is not RFC 3339 in UTC")
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int((match[2] or "0").ljust(3, "0")[:3])


def event_of(fields):
    """The trigger in an entry, or a ValueError that says why it is none. Looks at what this program
    relies on; fields it does not know are none of its business."""
    event = json.loads(fields[b"event"].decode() if b"event" in fields else "null")
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        raise ValueError("not a CloudEvent 1.0")
    for name, pattern in (("id", "[0-9a-f]{32}"), ("type", r"wirecue\.[a-z0-9_.]+\.v[0-9]+"),
                          ("subject", ".+"), ("sequence", "[0-9]{20}"), ("expirytime", ".+")):
        if not re.fullmatch(pattern, str(event.get(name)) if isinstance(event.get(name), str) else ""):
            raise ValueError(f"'{name}' is missing or not as the schema says")
    rule = event["data"].get("rule") if isinstance(event.get("data"), dict) else None
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
        raise ValueError("'data.rule.id' is missing")
    ms_of(event["expirytime"])
    return event


def share_of(subject, n_shares):
    """FNV-1a, 32 bits: the same in every language."""
    h = 0x811C9DC5
    for byte in subject.encode():
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h % n_shares + 1


def order_of(entry_id):
    return tuple(int(part) for part in entry_id.split(b"-"))


# --- the consumer ----------------------------------------------------------------------------------


class Consumer:
    def __init__(self, args, act_fn):
        self.args, self.act = args, act_fn
        self.stream = f"{args.prefix}triggers:{{0}}"
        self.group = args.group if args.share[1] == 1 else f"{args.group}:{args.share[0]}of{args.share[1]}"
        self.read_key = f"{args.prefix}read:{self.group}"
        self.counts = collections.Counter()
        self.held = {}  # subject: ids of its entries that wait for another try
        self.acks = []  # entries that are dealt with, but for saying so
        self.is_stopping = self.is_well = self.is_alone = False
        self.read_to = None  # sequence of the last new entry, while we are alone in the group
        self.sweep_at = 0.0
        self.server = redis.Redis.from_url(
            args.url, username=args.user, password=os.environ.get("REDISCLI_AUTH"),
            socket_timeout=args.block_ms / 1000 + 5)

    def count(self, what, why=None, entry_id=b""):
        self.counts[what] += 1
        if why is not None:
            say(f"{what}: entry {entry_id.decode()}: {why}")

    def join(self):
        """Make the group from the beginning of the stream, whether the stream exists yet or not."""
        try:
            self.server.xgroup_create(self.stream, self.group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        value = self.server.get(self.read_key)
        self.read_to = int(value) if value else None

    def run_connected(self):
        """Our own unfinished entries ("0" and on), then what is new (">"), and now and then what others left."""
        self.join()
        self.held.clear()
        self.acks.clear()
        position = b"0"
        while not self.is_stopping:
            if position == b">" and time.monotonic() >= self.sweep_at:
                self.sweep()
            answer = self.server.xreadgroup(
                self.group, self.args.name, {self.stream: position},
                count=self.args.count, block=self.args.block_ms)
            batch = answer[0][1] if answer else []
            self.handle_all(batch, is_new=position == b">")
            if position != b">":
                position = batch[-1][0] if batch else b">"
            self.is_well = True

    def handle_all(self, batch, is_new):
        for entry_id, fields in batch:
            if self.is_stopping:
                break  # the rest is pending, and the first we read when we come again
            self.handle(entry_id, fields, is_new)
        if self.acks:
            self.server.xack(self.stream, self.group, *self.acks)
            self.acks.clear()
        if is_new and batch and self.read_to is not None:
            self.server.set(self.read_key, self.read_to)

    def sweep(self):
        """Entries idle for long: a dead consumer's, and our own that could not be done."""
        self.sweep_at = time.monotonic() + self.args.min_idle_ms / 2000
        n_consumers = len(self.server.xinfo_consumers(self.stream, self.group))
        if n_consumers > 1 and self.read_to is not None:
            self.read_to = None  # others read what we do not see: gaps mean nothing
            self.server.delete(self.read_key)
        self.is_alone = n_consumers == 1
        for subject, ids in list(self.held.items()):
            ids &= {i for i in ids if self.deliveries(i) > 0}
            if not ids:
                del self.held[subject]
        cursor = b"0-0"
        while not self.is_stopping:
            cursor, batch = self.server.xautoclaim(
                self.stream, self.group, self.args.name, self.args.min_idle_ms, cursor, self.args.count)[:2]
            self.handle_all(batch, is_new=False)
            if cursor == b"0-0":
                return

    def deliveries(self, entry_id):
        """How often the entry was handed out; 0 when it is not ours any more."""
        pending = self.server.xpending_range(self.stream, self.group, entry_id, entry_id, 1, self.args.name)
        return pending[0]["times_delivered"] if pending else 0

    def handle(self, entry_id, fields, is_new):
        if not fields:
            self.count("trimmed", "was deleted before it was acted on", entry_id)
            self.acks.append(entry_id)
            return
        try:
            event = event_of(fields)
        except (ValueError, RecursionError) as error:
            self.refuse(entry_id, fields, error)
            return
        if is_new:
            self.check_sequence(int(event["sequence"]), entry_id)
        if share_of(event["subject"], self.args.share[1]) != self.args.share[0]:
            self.acks.append(entry_id)
        elif any(order_of(i) < order_of(entry_id) for i in self.held.get(event["subject"], ())):
            self.hold(event, entry_id)
        elif event.get("test") or event["data"]["rule"].get("control_group"):
            self.let_go(event, entry_id, "not_meant")
        elif ms_of(event["expirytime"]) <= time.time() * 1000 and not self.args.act_on_expired:
            self.let_go(event, entry_id, "expired")
        else:
            self.work(event, entry_id, fields)

    def check_sequence(self, sequence, entry_id):
        if self.read_to is not None and sequence != self.read_to + 1:
            self.count("gaps", f"sequence {sequence} comes after {self.read_to}: docs/offer-engine.md, Gaps", entry_id)
        self.read_to = sequence if self.is_alone else None

    def hold(self, event, entry_id):
        """It stays pending; nothing later of this subject overtakes it."""
        self.held.setdefault(event["subject"], set()).add(entry_id)

    def let_go(self, event, entry_id, what):
        """It is dealt with; what waits for it may go on."""
        self.count(what)
        self.forget(event, entry_id)
        self.acks.append(entry_id)

    def forget(self, event, entry_id):
        ids = self.held.get(event["subject"], set())
        ids.discard(entry_id)
        if not ids:
            self.held.pop(event["subject"], None)

    def work(self, event, entry_id, fields):
        """Take, act, settle. The mark says "done" only together with the acknowledgement, and after
        the act: marked first, a crash between the two would lose the offer for good, because the
        entry that comes again would look done. So a crash there makes it twice, with the same id."""
        seen, tries = (f"{self.args.prefix}{what}:{self.args.group}:{event['id']}" for what in ("seen", "tries"))
        keep_ms = max(0, ms_of(event["expirytime"]) - int(time.time() * 1000)) + KEEP_MS
        mine = f"by:{self.args.name}".encode()
        # Ours as long as act() may take: afterwards others may think that we died.
        pipe = self.server.pipeline()
        owner = pipe.set(seen, mine, nx=True, px=self.args.min_idle_ms).get(seen).execute()[1]
        if owner == DONE:
            self.let_go(event, entry_id, "repeated")
            return
        if owner != mine:
            self.count("busy")
            self.hold(event, entry_id)
            return
        pipe = self.server.pipeline()
        pipe.execute_command("INCR", tries)  # pipe.incr() would need the right to INCRBY
        if pipe.pexpire(tries, keep_ms).execute()[0] > self.args.tries:
            self.park(entry_id, fields, "acting on it did not end well")
            self.forget(event, entry_id)
            return
        try:
            outcome = self.act(event)
            if outcome is not None and outcome not in OUTCOMES:
                raise ValueError(f"act() returned '{outcome}'")
        except Exception as error:  # whatever a hook may raise: it has had one of its tries
            self.count("failed", f"act() failed: {type(error).__name__}", entry_id)
            self.server.delete(seen)
            self.hold(event, entry_id)
            return
        if outcome is None:
            self.count("postponed")
            self.server.delete(seen, tries)
            self.hold(event, entry_id)
            return
        pipe = self.server.pipeline()  # MULTI ... EXEC: all of it or nothing
        pipe.set(seen, DONE, px=keep_ms).delete(tries)
        if not self.args.no_feedback:
            pipe.xadd(f"{self.args.prefix}told", self.feedback(event, outcome), maxlen=N_TOLD_MAX, approximate=True)
        pipe.xack(self.stream, self.group, entry_id).execute()
        self.count("acted")
        self.forget(event, entry_id)

    def feedback(self, event, outcome):
        record = {"kind": "feedback", "trigger": event["id"], "outcome": outcome, "subject": event["subject"],
                  "rule": event["data"]["rule"]["id"], "source": self.args.name,
                  "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        return {"kind": "feedback", "record": json.dumps(record)}

    def refuse(self, entry_id, fields, why):
        """Not a trigger as we know it. Perhaps a newer one of us reads it: parked only after some tries."""
        self.count("broken", why if isinstance(why, ValueError) else "nested too deeply", entry_id)
        self.read_to = None
        if self.deliveries(entry_id) >= self.args.tries:
            self.park(entry_id, fields, "not a trigger")

    def park(self, entry_id, fields, why):
        """Where people look at it."""
        self.count("parked", why, entry_id)
        pipe = self.server.pipeline()
        pipe.xadd(f"{self.args.prefix}triggers:poison",
                  {"entry": entry_id, "group": self.group, "why": why, "event": fields.get(b"event", b"")},
                  maxlen=N_POISON_MAX, approximate=True)
        pipe.xack(self.stream, self.group, entry_id).execute()

    def run(self):
        """Until SIGTERM. After an error: wait, longer each time it fails, and begin with what is unfinished."""
        pause = 0.2
        while not self.is_stopping:
            self.is_well = False
            try:
                self.run_connected()
            except redis.RedisError as error:
                pause = 0.2 if self.is_well else min(pause * 2, 30)
                say(f"Redis: {str(error).splitlines()[0]}; trying again in {pause:.1f} s")
                self.server.connection_pool.disconnect()
                self.rest(pause * random.uniform(0.5, 1))  # not all consumers at the same moment
        say(" ".join(f"{what}={n}" for what, n in sorted(self.counts.items())) or "nothing came")

    def rest(self, seconds):
        until = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < until:
            time.sleep(0.05)


def main():
    args = parse_args()
    try:
        consumer = Consumer(args, runpy.run_path(args.act)["act"] if args.act else act)
    except (OSError, ValueError, KeyError) as error:  # --url, --act
        say(f"cannot begin: {error!r}")
        return 2

    def stop(*_):
        consumer.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    consumer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
