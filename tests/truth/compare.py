# SPDX-License-Identifier: BSD-3-Clause
"""One run of the program held against the truth of its capture: a pure function to a list of differences.

Checks (the words exceptions.yaml uses):

    exit         exit status
    stderr       one sentence where it fails, nothing where it works
    report       shape of the --json object (never excused in part: `got` is the whole complaint)
    packets      report.packets against the truth's frames
    bytes        report.bytes against the truth's wire bytes
    outcomes     sum of outcomes against report.packets
    consistency  the report against its own --flows
    flow.missing, flow.extra    a 5-tuple that only the truth, only wirecue has
    flow.packets, flow.bytes    packets and IP bytes, "from lower end/from higher end"
    flow.times                  first and last packet of a flow
    proto                       nDPI's verdict on a 5-tuple, of a name that ndpiReader missed by its own host table
"""

import json
import re
from collections import defaultdict, namedtuple

import capture as capture_file
import flows as flow_forms
import wirecue as program

Difference = namedtuple("Difference", "check flow got want", defaults=("", "", ""))

REPORT_KEYS = {
    "packets": int,
    "bytes": int,
    "outcomes": dict,
    "flows": int,
    "apps": list,
    "usage": list,
    "triggers": dict,
    "suppressed": dict,
}
FLOW_KEYS = {
    "src": str,
    "sport": (int, type(None)),
    "dst": str,
    "dport": (int, type(None)),
    "l4": str,
    "endpoint": str,
    "app": str,
    "category": str,
    "proto": str,
    "evidence": str,
    "packets": list,
    "bytes": list,
    "first_ns": int,
    "last_ns": int,
}


class Outcome:
    """What a comparison found, and how much was compared."""

    def __init__(self):
        self.differences = []
        self.expectation = "works"  # or "unsupported", "broken"
        self.are_flows_compared = False
        self.n_flows = 0  # 5-tuples of the truth
        self.n_flows_exact = 0  # of them with exact packets in each direction
        self.want_ip_bytes = 0
        self.got_ip_bytes = 0
        self.n_verdicts = 0
        self.n_verdicts_same = 0
        self.n_verdicts_by_name = 0  # of n_verdicts: what nDPI's host table says of a name that ndpiReader missed
        self.note = ""

    def differ(self, check, got, want, flow=""):
        self.differences.append(Difference(check, flow, str(got), str(want)))


def names_linktype(stderr, linktypes):
    """Whether a message names one of the link types, by number or by name, and says it is one."""
    text = stderr.decode("utf-8", "replace").lower()
    if not re.search(r"link[- ]?(layer )?(header )?type|\btype \d+ different", text):
        return False
    for linktype in linktypes:
        if re.search(rf"\b{linktype}\b", text):
            return True
        if any(name in text for name in capture_file.LINKTYPE_NAMES.get(linktype, ())):
            return True
    return False


def _type_complaint(what, value, kinds):
    for key, kind in kinds.items():
        if key not in value:
            return f"{what} has no {key!r}"
        if not isinstance(value[key], kind) or isinstance(value[key], bool):
            return f"{what}: {key!r} is {value[key]!r}"
    return ""


def parse_report(stdout):
    """The --json object, or None; and the complaint, "" when there is none."""
    try:
        report = json.loads(stdout)
    except ValueError as e:
        return None, f"stdout is not one JSON value: {e}"
    if not isinstance(report, dict):
        return None, "stdout is not a JSON object"
    complaint = _type_complaint("report", report, REPORT_KEYS)
    if not complaint and any(not isinstance(n, int) or n < 0 for n in report["outcomes"].values()):
        complaint = "an outcome is not a count"
    for app in report["apps"] if not complaint else ():
        complaint = complaint or _type_complaint(
            "app", app, {"app": str, "flows": int, "packets": int, "bytes": int}
        )
    return (None if complaint else report), complaint


def parse_flows(data):
    """The lines of --flows, or None; and the complaint."""
    if data is None:
        return None, "no --flows file was written"
    lines = []
    for number, text in enumerate(data.splitlines(), 1):
        try:
            line = json.loads(text)
        except ValueError as e:
            return None, f"--flows line {number}: {e}"
        complaint = _type_complaint(f"--flows line {number}", line, FLOW_KEYS)
        if complaint:
            return None, complaint
        if len(line["packets"]) != 2 or len(line["bytes"]) != 2:
            return None, f"--flows line {number}: not one count per direction"
        if line["first_ns"] > line["last_ns"]:
            return None, f"--flows line {number}: ends before it starts"
        if lines and line["first_ns"] < lines[-1]["first_ns"]:
            return None, f"--flows line {number}: not sorted by first_ns"
        try:
            flow_forms.l4_number(line["l4"])
        except ValueError:
            return None, f"--flows line {number}: unknown l4 {line['l4']!r}"
        lines.append(line)
    return lines, ""


def _compare_exit(outcome, result, cap):
    """Exit status and stderr. False when nothing more can be compared."""
    foreign = cap.unsupported_linktypes
    if foreign:
        outcome.expectation = "unsupported"
    elif cap.is_broken:
        outcome.expectation = "broken"
    want = 0 if outcome.expectation == "works" else 1
    if result.exit != want:
        outcome.differ("exit", program.exit_text(result.exit), want)
    if result.exit == 0:
        if result.stderr.strip():
            outcome.differ("stderr", result.stderr.decode("utf-8", "replace").strip()[:200], "")
    elif result.exit is not None and result.exit > 0:
        fault = program.sentence_fault(result.stderr)
        if fault:
            outcome.differ("stderr", fault, "one sentence")
        elif foreign and not names_linktype(result.stderr, foreign):
            text = result.stderr.decode("utf-8", "replace").strip()[:200]
            kinds = ", ".join(str(k) for k in sorted(foreign))
            outcome.differ("stderr", text, f"a sentence that names link type {kinds}")
    return bool(result.stdout.strip()) or (want == 0 and result.exit == 0) or outcome.expectation == "broken"


def _compare_totals(outcome, report, truth):
    for key in ("packets", "bytes"):
        if report[key] != truth[key]:
            outcome.differ(key, report[key], truth[key])


def _compare_itself(outcome, report, lines):
    """The report's apps are the sums of the flows it lists."""
    n_outcomes = sum(report["outcomes"].values())
    if n_outcomes != report["packets"]:
        outcome.differ("outcomes", n_outcomes, report["packets"])
    sums = defaultdict(lambda: [0, 0])
    for line in lines or ():
        sums[line["app"]][0] += sum(line["packets"])
        sums[line["app"]][1] += sum(line["bytes"])
    apps = {a["app"]: [a["packets"], a["bytes"]] for a in report["apps"] if a["packets"]}
    if lines is not None and apps != dict(sums):
        odd = sorted(n for n in apps.keys() | sums.keys() if apps.get(n) != sums.get(n))
        show = ", ".join(f"{n} {apps.get(n)} against {sums.get(n)}" for n in odd[:3])
        outcome.differ("consistency", f"apps of the report against --flows: {show}", "the same")
    n_app_flows = sum(a["flows"] for a in report["apps"])
    if n_app_flows != report["flows"]:
        outcome.differ("consistency", f"{n_app_flows} flows in apps", f"{report['flows']} flows")
    if lines is not None and len(lines) != report["flows"]:
        outcome.differ("consistency", f"{len(lines)} lines in --flows", f"{report['flows']} flows")


def _pair(values):
    return f"{values[0]}/{values[1]}"


def _match(got, truth):
    """Yield (key, counts of ours or None, counts of the truth), then (key, ours, None) for the extra ones.

    Where the truth knows no ports, it is compared with the sum of our flows of that protocol between
    those addresses that no other entry of the truth claims."""
    claimed = set()
    for key, want in truth.counts.items():
        if key in got or key not in truth.without_ports:
            claimed.add(key)
            yield key, got.get(key), want
    for key in truth.without_ports - claimed:
        hosts = (key.l4, key.low[0], key.high[0])
        parts = [k for k in got if k not in claimed and (k.l4, k.low[0], k.high[0]) == hosts]
        claimed.update(parts)
        total = flow_forms.Counts()
        for part in parts:
            total.add(got[part])
        yield key, (total if parts else None), truth.counts[key]
    for key, counts in got.items():
        if key not in claimed:
            yield key, counts, None


def _compare_flow(outcome, key, got, want, are_times_known):
    text = flow_forms.key_text(key)
    if got is None:
        outcome.differ("flow.missing", "", f"{_pair(want.packets)} packets {_pair(want.bytes)} bytes", text)
        return
    if want is None:
        outcome.differ("flow.extra", f"{_pair(got.packets)} packets {_pair(got.bytes)} bytes", "", text)
        return
    if got.packets == want.packets:
        outcome.n_flows_exact += 1
    else:
        outcome.differ("flow.packets", _pair(got.packets), _pair(want.packets), text)
    if got.bytes != want.bytes:
        outcome.differ("flow.bytes", _pair(got.bytes), _pair(want.bytes), text)
    if are_times_known and (got.first_ns, got.last_ns) != (want.first_ns, want.last_ns):
        got_times = f"{got.first_ns}-{got.last_ns}"
        outcome.differ("flow.times", got_times, f"{want.first_ns}-{want.last_ns}", text)


def same_verdict(got, want):
    """Our verdicts on one 5-tuple (one per SYN) against ndpiReader's (one per VLAN id and tunnel type).

    A split on either side gives several; one common verdict counts as the same, but ours must not be
    Unknown where ndpiReader named the flow in any of its rows, nor the other way round."""
    named = want - {"Unknown"}
    return bool(set(got) & (named or {"Unknown"}))


def _compare_verdicts(outcome, got, ndpi):
    for key, counts in got.items():
        want = ndpi.protos(key)
        if not want:
            continue
        outcome.n_verdicts += 1
        outcome.n_verdicts_by_name += ndpi.is_by_name(key)
        if same_verdict(counts.protos, want):
            outcome.n_verdicts_same += 1
        else:
            ours = "|".join(sorted(set(counts.protos)))
            outcome.differ("proto", ours, "|".join(sorted(want)), flow_forms.key_text(key))


def _compare_flows(outcome, lines, truth, cap):
    entries = truth["tshark"]["flows"]
    if truth["tshark"].get("flows_truncated"):
        outcome.note = "the truth lists only a part of the flows: not compared"
        return
    outcome.are_flows_compared = True
    want = flow_forms.Truth(entries)
    got = flow_forms.ours(lines)
    outcome.n_flows = len(want.counts)
    outcome.want_ip_bytes = sum(sum(c.bytes) for c in want.counts.values())
    outcome.got_ip_bytes = sum(sum(c.bytes) for c in got.values())
    for key, ours, theirs in _match(got, want):
        _compare_flow(outcome, key, ours, theirs, cap.is_monotonic)
    if "ndpi42" in truth:
        _compare_verdicts(outcome, got, flow_forms.Ndpi(truth))
    else:
        outcome.note = "the truth has no nDPI verdicts"


def compare(truth, cap, result):
    """The Outcome of holding a program.Result against a truth file and the walked Capture."""
    outcome = Outcome()
    if not _compare_exit(outcome, result, cap):
        return outcome
    report, complaint = parse_report(result.stdout)
    if complaint:
        outcome.differ("report", complaint, "as the command's contract says")
        return outcome
    lines, complaint = parse_flows(result.flows)
    if complaint:
        outcome.differ("report", complaint, "as the command's contract says")
    _compare_itself(outcome, report, lines)
    if outcome.expectation == "unsupported":
        return outcome  # what was read before the refusal is the program's affair
    _compare_totals(outcome, report, truth)
    is_complete = (result.exit == 0) == (outcome.expectation == "works")
    if lines is not None and is_complete:
        _compare_flows(outcome, lines, truth, cap)
    return outcome
