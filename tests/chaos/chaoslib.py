# SPDX-License-Identifier: BSD-3-Clause
"""What the chaos scenarios share: a private redis-server, replays that are disturbed, and what must be true afterwards.

A scenario is an executable in scenarios/. It disturbs, then holds the stream against an undisturbed replay and prints
one line; exit code 0 ok, 1 not, 77 cannot run here."""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import redis

import traffic

STREAM = "wirecue:triggers:{0}"
PATIENCE_S = 900
Result = collections.namedtuple("Result", "status report error")


class Failure(Exception):
    """What is not as promised, in a sentence."""


def until(what, condition, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"within {seconds} s: {what}")
        time.sleep(0.02)


class Server:
    """redis-server with its own folder; its append-only file is synced at each write."""

    def __init__(self, folder, is_durable=True):
        self.folder = folder
        self.socket = f"{folder}/redis.sock"
        self.url = f"unix://{self.socket}"
        self.is_durable = is_durable
        self.db = redis.Redis(unix_socket_path=self.socket)
        self.process = None
        os.makedirs(folder, exist_ok=True)

    def start(self):
        with open(f"{self.folder}/redis.conf", "w", encoding="utf-8") as out:
            out.write(f"port 0\nunixsocket {self.socket}\ndir {self.folder}\nsave \"\"\nloglevel warning\n"
                      f"appendonly {'yes' if self.is_durable else 'no'}\nappendfsync always\n")
        self.process = subprocess.Popen(["redis-server", f"{self.folder}/redis.conf"], stdout=subprocess.DEVNULL)
        until("redis-server answers", self.answers)

    def answers(self):
        with contextlib.suppress(redis.RedisError):
            return self.db.ping()
        return False

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def n_entries(self):
        """0 also while it does not answer."""
        with contextlib.suppress(redis.RedisError):
            return self.db.xlen(STREAM)
        return 0

    def entries(self):
        """All of the stream, in its order: entry id, event."""
        first = "-"
        while True:
            page = self.db.xrange(STREAM, first, "+", 10000)
            for entry_id, fields in page:
                yield tuple(map(int, entry_id.split(b"-"))), json.loads(fields[b"event"])
            if len(page) < 10000:
                return
            first = b"(" + page[-1][0]


def ids_of_sound_stream(server):
    """The events' ids in the order of the stream; a Failure when its numbering is not as promised."""
    ids, kinds, before = [], collections.Counter(), (0, 0)
    for entry_id, event in server.entries():
        if entry_id <= before:
            raise Failure(f"entry id {entry_id} comes after {before}")
        before = entry_id
        ids.append(event["id"])
        kinds[event["type"]] += 1
        if int(event["sequence"]) != len(ids):
            raise Failure(f"entry {len(ids)} has sequence {int(event['sequence'])}")
        if int(event["typesequence"]) != kinds[event["type"]]:
            raise Failure(f"entry {len(ids)} has typesequence {int(event['typesequence'])}")
    return ids


class Rig:
    """Folder, arguments, replays."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.chance = random.Random(args.seed)
        self.servers, self.children, self.undo = [], [], []
        self.n_made = 0

    def path(self, kind):
        """A new folder for a store or a server."""
        self.n_made += 1
        return f"{self.folder}/{kind}{self.n_made}"

    def server(self, is_durable=True):
        self.servers.append(Server(self.path("redis"), is_durable))
        self.servers[-1].start()
        return self.servers[-1]

    def evening(self):
        self.capture, self.config = traffic.evening(self.folder, self.args.people)

    def flood(self):
        self.capture, self.config = traffic.flood(self.folder, self.args.triggers)

    def start(self, server, store, *words, env=None):
        """A replay on its way; finish() has what comes of it."""
        command = [self.args.wirecue, "replay", "-c", self.config, "--json", "--redis", server.url, *words]
        if store is not None:
            command += ["--store", store]
        out, err = tempfile.TemporaryFile(dir=self.folder), tempfile.TemporaryFile(dir=self.folder)
        process = subprocess.Popen(command + [self.capture], stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(env or {})})
        process.out, process.err = out, err
        self.children.append(process)
        return process

    def finish(self, process, seconds=PATIENCE_S):
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the replay does not end within {seconds} s: {self.said(process)[-300:]}") from None
        process.out.seek(0)
        text = process.out.read()
        return Result(status, json.loads(text) if status == 0 else None, self.said(process))

    @staticmethod
    def said(process):
        """pread, since the child writes by the same offset."""
        return os.pread(process.err.fileno(), 1 << 20, 0).decode(errors="replace")

    def replay(self, server, store, *words, env=None):
        """To its end, which has to be a good one. The report."""
        result = self.finish(self.start(server, store, *words, env=env))
        if result.status != 0:
            raise Failure(f"a replay ended with {result.status}: {result.error.strip()[-300:]}")
        return result.report

    def undisturbed(self):
        """What should come of it: report, ids in order, seconds."""
        server = self.server(is_durable=False)
        begin = time.monotonic()
        report = self.replay(server, self.path("store"))
        seconds = time.monotonic() - begin
        ids = ids_of_sound_stream(server)
        server.kill()
        if len(set(ids)) != len(ids) or len(ids) != sum(report["triggers"].values()) or not ids:
            raise Failure(f"undisturbed, {sum(report['triggers'].values())} decided became {len(ids)} entries")
        self.wanted = (report, ids)
        return seconds

    def compare(self, server, report):
        """Nothing lost, nothing twice, in order, and the same counted. What was found, for the line."""
        wanted_report, wanted = self.wanted
        ids = ids_of_sound_stream(server)
        n_twice = len(ids) - len(set(ids))
        n_lost = len(set(wanted) - set(ids))
        if n_twice or n_lost or set(ids) - set(wanted):
            raise Failure(f"{len(wanted)} in, {len(ids)} out: {n_lost} lost, {n_twice} twice, "
                          f"{len(set(ids) - set(wanted))} that nobody decided")
        if ids != wanted:
            at = next(i for i, (a, b) in enumerate(zip(ids, wanted)) if a != b)
            raise Failure(f"entry {at + 1} is another than in an undisturbed replay")
        for key in ("packets", "bytes", "apps", "usage"):
            if report[key] != wanted_report[key]:
                raise Failure(f"'{key}' of the report is not that of an undisturbed replay")
        return len(ids)

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        for server in self.servers:
            server.kill()
        for step in self.undo:
            step()


def sleep_or_end(process, seconds):
    """True when the process has ended meanwhile."""
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def parse_args():
    top = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser()
    parser.add_argument("--wirecue", default=os.environ.get("WIRECUE", f"{top}/build/control/wirecue"))
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--people", type=int, default=1200, help="of the evening that is replayed")
    parser.add_argument("--kills", type=int, default=100, help="of wirecue")
    parser.add_argument("--redis-kills", type=int, default=20)
    parser.add_argument("--triggers", type=int, default=1_000_000, help="queued while Redis is away")
    parser.add_argument("--freeze", type=float, default=30, help="seconds that Redis stands still")
    args, _ = parser.parse_known_args()
    return args


def main(play):
    """Run play(rig), which returns what was done and the count; print the scenario's line."""
    name = pathlib.Path(sys.argv[0]).name
    args = parse_args()
    folder = tempfile.mkdtemp(prefix=f"wirecue-chaos-{name}-")
    rig = Rig(args, folder)
    begin = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        done, count = play(rig)
        status, text = 0, (f"{done}; {count} in = {count} out, in order, none twice, usage equal; "
                           f"{time.monotonic() - begin:.0f} s; ok")
    except Failure as failure:
        status, text = 1, f"{failure}; {time.monotonic() - begin:.0f} s; seed {args.seed}; FAIL"
    finally:
        rig.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{name}: {text}", flush=True)
    return status
