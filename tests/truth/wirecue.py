# SPDX-License-Identifier: BSD-3-Clause
"""Running the program: one process, a time limit, everything it said."""

import os
import signal
import subprocess
import tempfile
from collections import namedtuple

TIME_LIMIT_S = 60

# exit is the exit status, -N after signal N, None when it had to be killed at the time limit.
# stdout and stderr are bytes; flows and triggers are the bytes of those files, None when not written.
Result = namedtuple("Result", "exit stdout stderr flows triggers", defaults=(None, None))


def run(argv, time_limit_s=TIME_LIMIT_S, user=None):
    """Run argv, as another user id if given, in a session of its own, so that nothing it started
    outlives it. Returns a Result."""
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **identity,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=time_limit_s)
            return Result(process.returncode, stdout, stderr)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            return Result(None, stdout, stderr)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _read_if_there(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def replay(wirecue, captures, tmp, extra=(), with_triggers=False, time_limit_s=TIME_LIMIT_S, user=None):
    """`wirecue replay --json --flows … CAPTURE…`; tmp is a directory for this call alone."""
    flows_path = os.path.join(tmp, "flows.jsonl")
    triggers_path = os.path.join(tmp, "triggers.jsonl")
    argv = [wirecue, "replay", "--json", "--no-redis", "--flows", flows_path]
    if with_triggers:
        argv += ["--triggers", triggers_path]
    argv += list(extra) + [str(c) for c in captures]
    result = run(argv, time_limit_s, user)
    return result._replace(flows=_read_if_there(flows_path), triggers=_read_if_there(triggers_path))


def xdp_refusal(wirecue, capture):
    """Why this machine runs no program of ours in its kernel, tried with the capture; "" when it does."""
    with tempfile.TemporaryDirectory(prefix="wirecue-xdp.") as tmp:
        result = replay(wirecue, [capture], tmp, ["--source", "xdp"])
    text = result.stderr.decode("utf-8", "replace").strip()
    excuses = ("this process lacks", "built without", "is older than", "the kernel forbids it")
    return text if result.exit == 1 and any(excuse in text for excuse in excuses) else ""


def first_difference(name, a, b):
    """One line about where two outputs part."""
    if a is None or b is None or isinstance(a, int) or isinstance(b, int):
        return f"{name} {a!r:.80} against {b!r:.80}"
    lines = list(zip(a.splitlines(), b.splitlines()))
    number, (x, y) = next(((n, p) for n, p in enumerate(lines, 1) if p[0] != p[1]), (len(lines) + 1, (b"", b"")))
    column = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
    near = slice(max(0, column - 40), column + 40)
    return f"{name} line {number}, column {column + 1}: {x[near]!r} against {y[near]!r}"


def exit_text(code):
    if code is None:
        return "killed at the time limit"
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return str(code)


def sentence_fault(stderr):
    """Why stderr is not exactly one sentence for a human; "" when it is."""
    text = stderr.decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return "nothing on stderr"
    if len(lines) > 1:
        return f"{len(lines)} lines on stderr: {lines[0][:120]!r}, {lines[1][:120]!r}"
    if len(lines[0].split()) < 4:
        return f"not a sentence: {lines[0]!r}"
    if not lines[0].isprintable():
        return f"unprintable characters: {lines[0][:120]!r}"
    return ""
