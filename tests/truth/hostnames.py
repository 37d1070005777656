# SPDX-License-Identifier: BSD-3-Clause
"""The names that Wireshark saw, held against those of `wirecue replay --flows`.

A name of the truth (`tshark.names`) belongs to the flow of its 5-tuple in whose time its frame lies: ours are split by
a new SYN. It is compared in the form that a flow shows (docs/design.md section 4 and DP_HOST_MAX): see `shown`.

Checks (the words names.yaml uses):

    name.missing     the flow has no host, or there is no such flow
    name.wrong       the flow has a host that is none of its names
    name.invented    the truth has no name for the flow, and it shows one; or one by a look-up that no answer gave it
    name.evidence    a name that the catalogue knows did not decide the app, or one of another kind did
    name.app         it decided for another app than the catalogue says
"""

import ipaddress
import re
from collections import defaultdict, namedtuple

import flows as flow_forms
from compare import Difference

HOST_BYTES_MAX = 127  # DP_HOST_MAX without its NUL; a longer one keeps its tail
EVIDENCE = {"tls_sni": "sni", "quic_sni": "quic", "gquic_sni": "quic", "http_host": "http"}
NAMED = frozenset(EVIDENCE.values())
BY_LOOK_UP = "dns"

# What shows the name that was asked for, which is no name of a server it talks to.
_LOOK_UP = re.compile(r"(DNS|MDNS|LLMNR|NetBIOS)\b|.*\.(DNS|MDNS|LLMNR|NetBIOS)$")
_PORT = re.compile(r":[0-9]*$")

# What a flow was called: kind as in the truth; host as `shown`; ts_ns is None in a capture without times.
Name = namedtuple("Name", "kind host frame ts_ns")


def shown(kind, name):
    """A name of the truth as a flow shows it: lower case, of a Host field without port, bytes that are in no name as
    '?', the last 127 bytes."""
    octets = name.encode("utf-8", "surrogateescape").lower()
    text = octets.decode("latin-1")
    if kind == "http_host":
        text = _PORT.sub("", text.strip())
    allowed = "[^a-z0-9._:\\[\\]-]" if kind == "http_host" else "[^a-z0-9._:-]"
    return re.sub(allowed, "?", text)[-HOST_BYTES_MAX:]


def is_server_name(entry):
    """Whether an entry of tshark.names is one: what Wireshark calls Host in UDP is SSDP's (UPnP Device Architecture
    1.3.2), which names the group it is sent to."""
    return entry["kind"] in EVIDENCE and not (entry["kind"] == "http_host" and entry["l4"] == "udp")


def answers_of_truth(section, cap):
    """{(name, address): times of the answers} of tshark.dns; None where the truth file does not tell of DNS."""
    if section is None:
        return None
    answers = defaultdict(list)
    for row in section["rows"]:
        if row.get("dns.flags.response") != "1" or row.get("dns.flags.rcode") != "0" or not row.get("dns.qry.name"):
            continue
        idx = int(row["frame.number"]) - 1
        ts_ns = cap.records[idx].ts_ns if idx < len(cap.records) else None
        for address in f"{row.get('dns.a', '')}|{row.get('dns.aaaa', '')}".split("|"):
            if address and ts_ns is not None:
                answers[shown("tls_sni", row["dns.qry.name"]), str(ipaddress.ip_address(address))].append(ts_ns)
    return answers


_EXPECTED = re.compile(r"(tcp|udp) \[?([0-9a-f.:]+?)\]?:(\d+) \[?([0-9a-f.:]+?)\]?:(\d+)")


def of_list(flows):
    """{Key: [Name]} of a capture in pcaps/names/expected-names.yaml, "FLOW: NAME APP EVIDENCE [ech]". What is known by
    a look-up has no name of its own, but for one in front of an encrypted hello."""
    names = {}
    for flow, said in flows.items():
        l4, src, sport, dst, dport = _EXPECTED.fullmatch(flow).groups()
        host, _, evidence, *ech = said.split()
        if host == "(none)" or evidence == "payload" or (evidence == BY_LOOK_UP and not ech):
            continue
        kind = "quic_sni" if l4 == "udp" else "tls_sni"  # where none of them decided
        kind = {"quic": "quic_sni", "http": "http_host", "sni": "tls_sni"}.get(evidence, kind)
        key, _ = flow_forms.key_of(l4, src, sport, dst, dport)
        names[key] = [Name(kind, shown(kind, host), 0, None)]
    return names


def of_truth(entries, cap):
    """{Key: [Name]} of tshark.names. cap: the walked Capture, for the times of frames."""
    names = defaultdict(list)
    for e in entries or ():
        if not is_server_name(e):
            continue
        key, _ = flow_forms.key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
        idx = int(e["frame"]) - 1
        ts_ns = cap.records[idx].ts_ns if 0 <= idx < len(cap.records) else None
        names[key].append(Name(e["kind"], shown(e["kind"], e["name"]), int(e["frame"]), ts_ns))
    return names


def _lines_by_key(lines):
    table = defaultdict(list)
    for line in lines:
        key, _ = flow_forms.key_of(line["l4"], line["src"], line["sport"], line["dst"], line["dport"])
        table[key].append(line)
    return table


def _owner(lines, name):
    """Index of the line in whose time the name was said; the first where none is."""
    for i, line in enumerate(lines):
        if name.ts_ns is not None and line["first_ns"] <= name.ts_ns <= line["last_ns"]:
            return i
    return 0


def pair(lines, names):
    """Yield (Key, line or None, [Name]): each line with the names that are its own, then names without any line."""
    by_key = _lines_by_key(lines)
    for key, group in by_key.items():
        own = [[] for _ in group]
        for name in names.get(key, ()):
            own[_owner(group, name)].append(name)
        yield from ((key, line, mine) for line, mine in zip(group, own))
    for key in names.keys() - by_key.keys():
        yield key, None, names[key]


def is_invented(key, line, answers):
    """Whether a flow without a name in the truth shows one that is not its own to show: of a look-up it is the name that
    is asked for; by a look-up, one of the answers before gave the name to one of the flow's ends."""
    if not line["host"]:
        return False
    if line["evidence"] != BY_LOOK_UP:
        return line["evidence"] in NAMED or not _LOOK_UP.match(line["proto"])
    if answers is None:
        return False
    times = [t for end in (key.low, key.high) for t in answers.get((line["host"], end[0]), ())]
    return not any(t <= line["last_ns"] for t in times)


def is_behind_front(line):
    """Whether the name is that of a front, and the app that of the look-up: what is meant is encrypted."""
    return bool(line.get("ech")) and line["evidence"] == BY_LOOK_UP


def judge(key, line, own, catalogue, answers=None):
    """Yield the Differences of one flow. answers: as of answers_of_truth."""
    text = flow_forms.key_text(key)
    want = "|".join(sorted({name.host for name in own}))
    host = (line or {}).get("host") or ""
    if not own:
        if is_invented(key, line, answers):
            yield Difference("name.invented", text, host, "")
        return
    said = [name for name in own if name.host == host]
    if not said:
        yield Difference("name.wrong" if host else "name.missing", text, host, want)
        return
    if is_behind_front(line):
        return
    app = catalogue.app_of_host(host)
    kinds = {EVIDENCE[name.kind] for name in said}
    if line["evidence"] not in kinds and (app is not None or line["evidence"] in NAMED):
        yield Difference("name.evidence", text, line["evidence"], "|".join(sorted(kinds)))
    elif app is not None and line["app"] != app:
        yield Difference("name.app", text, line["app"], app)
