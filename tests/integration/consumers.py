#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The examples for offer engines, in C and in Python, as the user of docs/offer-engine.md, at a real redis-server:
killed, stopped, left by Redis, fed with what is no trigger."""
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import redis

TOP = pathlib.Path(os.environ["WIRECUE_TOP"])
PROGRAMS = {
    "python": [str(TOP / "docs/examples/consumer.py")],
    "c": [os.environ["WIRECUE_BUILD"] + "/tests/consumer"],
}
STREAM, POISON, TOLD = "wirecue:triggers:{0}", "wirecue:triggers:poison", "wirecue:told"
N_SUBJECTS = 17
LINE_LEN = len("acted  wirecue.app.session_started.v1\n") + 32
PATIENCE_S = 240 if os.environ.get("ASAN_OPTIONS") else 60
F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on


def example():
    """The first trigger of docs/triggers.md: what consumers are told to expect."""
    text = (TOP / "docs/triggers.md").read_text(encoding="utf-8")
    return json.loads(re.search(r"^```json\n(.*?)^```", text, re.M | re.S)[1])


def acl_rules():
    """The rights that docs/offer-engine.md gives to a consumer."""
    text = (TOP / "docs/offer-engine.md").read_text(encoding="utf-8")
    return re.search(r"ACL SETUSER engine on >PASSWORD (.*?)\n", text)[1].strip("'").split("' '")


class Failure(Exception):
    pass


def until(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"never came: {what}")
        time.sleep(0.02)


class Server:
    """redis-server; where it is to survive, with an append-only file that is synced at each write."""

    def __init__(self, folder, is_durable):
        self.folder, self.is_durable = folder, is_durable
        self.socket = f"{folder}/redis.sock"
        self.db = redis.Redis(unix_socket_path=self.socket)
        self.start()

    def start(self):
        config = f"{self.folder}/redis.conf"
        with open(config, "w", encoding="utf-8") as f:
            f.write("".join(f"{line}\n" for line in (
                "port 0", f"unixsocket {self.socket}", f"dir {self.folder}", 'save ""', f"appendonly {'yes' if self.is_durable else 'no'}", "appendfsync always",
                "loglevel warning",
                "user engine on >secret " + " ".join(f'"{rule}"' for rule in acl_rules()))))
        self.process = subprocess.Popen(["redis-server", config], stdout=subprocess.DEVNULL)
        until("redis-server answers", self.answers)

    def answers(self):
        try:
            return self.db.ping()
        except redis.RedisError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def fill(self, n, first=1, **changes):
        """n triggers about some subjects; their ids in the order of the stream."""
        pipe = self.db.pipeline(transaction=False)
        ids = []
        for sequence in range(first, first + n):
            event = example()
            event.update(id=f"{sequence:032x}", sequence=f"{sequence:020d}", subject=subject_of(sequence),
                         expirytime="2999-01-01T00:00:00Z")
            event.update(changes)
            ids.append(event["id"])
            pipe.xadd(STREAM, {"event": json.dumps(event), "type": event["type"], "subject": event["subject"]})
        pipe.execute()
        return ids

    def is_idle(self, group="offers"):
        """Has everything been read and acknowledged?"""
        with contextlib.suppress(redis.RedisError):
            last = self.db.xrevrange(STREAM, count=1)[0][0]
            for info in self.db.xinfo_groups(STREAM):
                if info["name"] == group.encode():
                    return info["pending"] == 0 and info["last-delivered-id"] == last
        return False

    def told(self):
        records = [json.loads(fields[b"record"]) for _, fields in self.db.xrange(TOLD)]
        return [record["trigger"] for record in records if record["kind"] == "feedback"]


def subject_of(sequence):
    return f"subject{sequence * 7 % N_SUBJECTS}"


class Consumer:
    """One of the two programs. What it acts on comes through a pipe that holds 4 KiB, about 70 lines: who reads
    no further stops it in the middle of its work."""

    def __init__(self, server, program, *args, stdout=subprocess.PIPE):
        self.acted, self.rest = [], b""
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            PROGRAMS[program] + ["--url", f"unix://{server.socket}", "--user", "engine", "--count", "20",
                                 "--block-ms", "100", "--min-idle-ms", "700", *args],
            stdout=stdout, stderr=self.err, env={**os.environ, "REDISCLI_AUTH": "secret"})
        if self.process.stdout:
            fcntl.fcntl(self.process.stdout, F_SETPIPE_SZ, 4096)

    def read(self, wait_s=0.0):
        """What it has acted on since; False when it has closed its end."""
        if not select.select([self.process.stdout], [], [], wait_s)[0]:
            return True
        data = os.read(self.process.stdout.fileno(), 1024)
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.acted += [line.split()[1].decode() for line in lines]
        return data != b""

    def read_until(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.read(0.05)
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failure(f"never came: {what}; {self.said()}")

    def act_on(self, n):
        self.read_until(f"{n} acted on", lambda: len(self.acted) >= n)

    def get_stuck(self):
        """Until the pipe has no room for another line: it is in the middle of an act that will not end."""
        held = bytearray(4)

        def is_full():
            fcntl.ioctl(self.process.stdout, termios.FIONREAD, held)
            return int.from_bytes(held, sys.byteorder) > 4096 - LINE_LEN

        until("no room for what it does", is_full)

    def end(self, number=signal.SIGTERM):
        """What it still had to say is read. Its exit code."""
        self.process.send_signal(number)
        while self.process.stdout and self.read(PATIENCE_S):
            pass
        return self.process.wait(PATIENCE_S)

    def said(self):
        self.err.seek(0)
        return self.err.read().decode()[-2000:]

    def counts(self):
        """Of the line it ends with."""
        return {k: int(n) for k, n in re.findall(r"(\w+)=(\d+)", self.said().splitlines()[-1])}


# --- what is true of consumers ----------------------------------------------------------------------------------


def both_share_the_work_and_one_is_killed(server, program):
    other = "c" if program == "python" else "python"
    ids = server.fill(1000)
    victim, heir = Consumer(server, program, "--name", "victim"), Consumer(server, other, "--name", "heir")
    victim.act_on(100)
    heir.act_on(100)
    victim.get_stuck()
    victim.end(signal.SIGKILL)
    heir.read_until("all is acknowledged", server.is_idle)
    assert heir.end() == 0, "the other does not end well"
    twice = [i for i, n in collections.Counter(victim.acted + heir.acted).items() if n > 1]
    assert set(victim.acted + heir.acted) == set(ids), "an offer is lost"
    assert twice in ([], victim.acted[-1:]), f"{len(twice)} twice, more than was in its hands"
    assert sorted(server.told()) == ids, "feedback is not once for each"


def a_restart_keeps_order(server, program):
    ids = server.fill(600)
    runs = []
    for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -9), (signal.SIGTERM, 0)):
        runs.append(Consumer(server, program, "--name", "only"))
        if len(runs) < 3:
            runs[-1].act_on(150)
            runs[-1].get_stuck()
        else:
            runs[-1].read_until("all is acknowledged", server.is_idle)
        assert runs[-1].end(number) == code, runs[-1].said()
    acted = [run.acted for run in runs]
    if acted[2][0] == acted[1][-1]:  # killed between the act and the acknowledgement
        del acted[2][0]
    assert sum(acted, []) == ids, "not the order of the stream"
    assert runs[0].counts()["acted"] == len(runs[0].acted), "stopped, it counts wrong"


def redis_dies_and_comes_again(server, program):
    ids = server.fill(500)
    consumer = Consumer(server, program, "--name", "only")
    consumer.act_on(100)
    server.kill()
    consumer.read_until("it says so", lambda: "trying again" in consumer.said())
    server.start()
    consumer.read_until("all is acknowledged", server.is_idle)
    assert consumer.end() == 0, "it does not end well"
    once = list(dict.fromkeys(consumer.acted))
    assert once == ids, "not the order of the stream"
    assert len(consumer.acted) <= len(ids) + 1, "more than the one in its hands twice"
    assert server.told() == ids, "feedback is not once for each"


def the_same_statement_is_acted_on_once(server, program):
    ids = server.fill(50)
    server.fill(50)
    consumer = Consumer(server, program)
    consumer.read_until("all is acknowledged", server.is_idle)
    consumer.end()
    assert consumer.acted == ids, "acted on again"
    assert consumer.counts()["repeated"] == 50, consumer.said()
    left_ms = server.db.pttl(f"wirecue:seen:offers:{ids[0]}")
    assert left_ms > 900 * 365 * 86400 * 1000, "the mark does not outlive the trigger"


def what_is_over_or_not_meant_is_passed_over(server, program):
    server.fill(3, expirytime="2020-01-01T00:00:00.5Z")
    server.fill(2, first=4, test=True)
    server.fill(1, first=6, data={"rule": {"id": "r", "control_group": True}})
    ids = server.fill(1, first=7)
    consumer = Consumer(server, program)
    consumer.read_until("all is acknowledged", server.is_idle)
    consumer.end()
    assert consumer.acted == ids, "acted on what it should not"
    assert consumer.counts() == {"acted": 1, "expired": 3, "not_meant": 3}, consumer.said()


def what_is_no_trigger_is_parked(server, program):
    whole = json.dumps({**example(), "expirytime": "2999-01-01T00:00:00Z"})
    broken = [b"{", b"\xff\xfe", b"null", b"[" * 100000, whole[:-1].encode(), b'{"specversion": "1.0"}']
    broken += [json.dumps({**json.loads(whole), key: value}).encode()
               for key, value in (("id", "7"), ("sequence", 41), ("expirytime", "soon"), ("type", "x"), ("data", None))]
    for text in broken:
        server.db.xadd(STREAM, {"event": text})
    server.db.xadd(STREAM, {"other": "field"})
    ids = server.fill(1)
    consumer = Consumer(server, program, "--tries", "3")
    consumer.read_until("all is acknowledged", server.is_idle)
    consumer.end()
    parked = [fields[b"event"] for _, fields in server.db.xrange(POISON)]
    assert parked == broken + [b""], "not what was broken"
    assert consumer.acted == ids, "the sound one was not acted on"
    assert consumer.counts()["broken"] == 3 * len(parked), consumer.said()


def what_cannot_be_acted_on_is_parked(server, program):
    server.fill(1)
    with open("/dev/full", "wb") as full:
        consumer = Consumer(server, program, "--tries", "2", stdout=full)
        until("it is parked", lambda: server.is_idle() and server.db.xlen(POISON) == 1)
        consumer.end()
    assert consumer.counts() == {"failed": 2, "parked": 1}, consumer.said()
    assert server.told() == [], "feedback on what was not done"


def what_was_trimmed_unread_is_noticed(server, program):
    server.fill(50)
    first = Consumer(server, program)
    first.read_until("all is acknowledged", server.is_idle)
    first.end()
    server.fill(50, first=51)
    server.db.xtrim(STREAM, maxlen=30, approximate=False)
    second = Consumer(server, program)
    second.read_until("all is acknowledged", server.is_idle)
    second.end()
    assert "gaps" not in first.counts(), first.said()
    assert second.counts() == {"acted": 30, "gaps": 1}, second.said()
    assert "sequence 71 comes after 50" in second.said(), second.said()


def shares_part_the_subjects_alike(server, _):
    ids = server.fill(300)
    consumers = [Consumer(server, program, "--share", f"{k}/3") for k, program in
                 enumerate(("python", "c", "python"), 1)]
    for k, consumer in enumerate(consumers, 1):
        consumer.read_until("all is acknowledged", lambda: server.is_idle(f"offers:{k}of3"))
    for consumer in consumers:
        consumer.end()
    whom = [{subject_of(int(i, 16)) for i in consumer.acted} for consumer in consumers]
    assert sorted(sum((c.acted for c in consumers), [])) == ids, "not each once"
    assert sum(map(len, whom)) == N_SUBJECTS and all(whom), "a subject is in two shares, or a share has none"
    for consumer in consumers:
        assert consumer.acted == sorted(consumer.acted), "not the order of the stream"


def a_postponed_one_holds_back_its_subject_only(server, _):
    """Only the example in Python takes a hook from outside."""
    ids = server.fill(200)
    hook = f"{server.folder}/act.py"
    with open(hook, "w", encoding="utf-8") as f:
        f.write("late = {}\n"
                "def act(event):\n"
                "    n = int(event['sequence'])\n"
                "    late[n] = late.get(n, 0) + 1\n"
                "    if n in (5, 60) and late[n] < 3:\n"
                "        return None\n"
                "    print('acted', event['id'], flush=True)\n"
                "    return 'pending'\n")
    consumer = Consumer(server, "python", "--act", hook)
    consumer.act_on(150)
    server.fill(100, first=201)
    consumer.read_until("all is acknowledged", server.is_idle)
    consumer.end()
    acted = [int(i, 16) for i in consumer.acted]
    assert sorted(acted) == list(range(1, 301)), "not each once"
    assert acted.index(5) > acted.index(6), "the others had to wait"
    for subject in {subject_of(n) for n in acted}:
        mine = [n for n in acted if subject_of(n) == subject]
        assert mine == sorted(mine), "a subject's later one was acted on first"


SCENARIOS = [
    both_share_the_work_and_one_is_killed, a_restart_keeps_order, redis_dies_and_comes_again,
    the_same_statement_is_acted_on_once, what_is_over_or_not_meant_is_passed_over, what_is_no_trigger_is_parked,
    what_cannot_be_acted_on_is_parked, what_was_trimmed_unread_is_noticed,
]
SCENARIOS_ONCE = [shares_part_the_subjects_alike, a_postponed_one_holds_back_its_subject_only]


def play(scenario, program):
    """True when it went as it should; prints the line."""
    name = scenario.__name__.replace("_", " ") + (f" ({program})" if program else "")
    folder = tempfile.mkdtemp(prefix="wirecue-consumers-")
    server = None
    try:
        server = Server(folder, is_durable=scenario is redis_dies_and_comes_again)
        scenario(server, program)
        print(f"ok - {name}", flush=True)
        return True
    except (AssertionError, Failure) as error:
        print(f"not ok - {name}\n  {error}", flush=True)
        return False
    finally:
        if server:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    if not shutil.which("redis-server"):
        print("SKIP: redis-server is not installed")
        return 77
    plan = [(s, program) for s in SCENARIOS for program in PROGRAMS] + [(s, None) for s in SCENARIOS_ONCE]
    wanted = sys.argv[1:]
    results = [play(s, p) for s, p in plan if not wanted or s.__name__ in wanted]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
