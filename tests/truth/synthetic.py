# SPDX-License-Identifier: BSD-3-Clause
"""What a faultless program would print for a truth file: the input of the comparator's own test."""

import json
import struct
from collections import defaultdict

import flows as flow_forms
import wirecue as program


def pcap(n_records, frame_len=60, linktype=1, cut=0):
    """A pcap file of n_records frames a second apart; `cut` bytes are missing from its end."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype)
    for i in range(n_records):
        data += struct.pack("<IIII", 1000 + i, 0, frame_len, frame_len) + bytes(frame_len)
    return data[: len(data) - cut]


def pcapng_mixed(linktypes):
    """A pcapng file with an interface of each link type, one packet each."""

    def block(kind, body):
        total = 12 + len(body)
        return struct.pack("<II", kind, total) + body + struct.pack("<I", total)

    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for ifidx, linktype in enumerate(linktypes):
        data += block(1, struct.pack("<HHI", linktype, 0, 65535))
        data += block(6, struct.pack("<5I", ifidx, 0, 1000 + ifidx, 60, 60) + bytes(60))
    return data


def flow(l4, src, sport, dst, dport, packets, octets, encap=None):
    """An entry of tshark.flows."""
    return {
        "encap": encap,
        "l4": l4,
        "src": src,
        "sport": sport,
        "dst": dst,
        "dport": dport,
        "fwd_pkts": packets[0],
        "fwd_ip_bytes": octets[0],
        "rev_pkts": packets[1],
        "rev_ip_bytes": octets[1],
        "first": "1000.000000000",
        "last": "1003.000000001",
    }


def verdict(l4, src, sport, dst, dport, proto):
    """A row of ndpi42.flows_tunnels."""
    return {"l4": l4, "src": src, "sport": sport, "dst": dst, "dport": dport, "proto": proto}


def truth(n_records, entries, verdicts, signatures, frame_len=60):
    return {
        "packets": n_records,
        "bytes": n_records * frame_len,
        "tshark": {"flows": entries, "encap_signatures": signatures},
        "ndpi42": {"flows_tunnels": verdicts},
    }


def sample_truth():
    """One flow of each kind that the comparator treats in its own way."""
    return truth(
        24,
        [
            flow("tcp", "10.0.0.1", 4000, "192.0.2.1", 443, (3, 2), (300, 2000)),
            flow("udp", "192.0.2.53", 53, "10.0.0.1", 5353, (1, 1), (100, 60)),
            flow("icmpv6", "2001:db8::1", None, "fe80::1", None, (2, 0), (96, 0)),
            # The same 5-tuple seen in front of and inside the tunnel.
            flow("udp", "10.0.0.2", 7000, "192.0.2.2", 7001, (1, 0), (50, 0)),
            flow("udp", "192.0.2.2", 7001, "10.0.0.2", 7000, (2, 1), (80, 40), "ip/udp/gtp"),
            # Fragments whose UDP header Wireshark never saw.
            flow("ip-udp", "10.0.0.3", None, "192.0.2.3", None, (3, 0), (900, 0)),
            flow("sctp", "10.0.0.4", 2905, "192.0.2.4", 2906, (1, 1), (48, 48)),
            # Both ends the same: no direction.
            flow("icmp", "127.0.0.1", None, "127.0.0.1", None, (2, 2), (84, 84)),
            # No readable IP header: not a flow.
            flow("ip-", "", None, "", None, (1, 0), (0, 0)),
        ],
        [
            verdict("tcp", "10.0.0.1", 4000, "192.0.2.1", 443, "TLS.NetFlix"),
            verdict("udp", "10.0.0.1", 5353, "192.0.2.53", 53, "Unknown"),
            # Two rows: the flow key there has the tunnel type.
            verdict("udp", "10.0.0.2", 7000, "192.0.2.2", 7001, "Unknown"),
            verdict("udp", "10.0.0.2", 7000, "192.0.2.2", 7001, "QUIC"),
            verdict("132", "10.0.0.4", 0, "192.0.2.4", 0, "SCTP"),
        ],
        {"(none)": 21, "vlan/ip/udp/gtp": 3},
    )


def faultless_lines(truth_data):
    """The --flows lines, as dictionaries."""
    want = flow_forms.Truth(truth_data["tshark"]["flows"])
    ndpi = flow_forms.Ndpi(truth_data)
    lines = []
    for key, counts in want.counts.items():
        protos = ndpi.protos(key) - {"Unknown"} or {"Unknown"}
        lines.append(
            {
                "src": key.low[0],
                "sport": key.low[1],
                "dst": key.high[0],
                "dport": key.high[1],
                "l4": flow_forms.key_text(key).split()[0],
                "endpoint": key.low[0],
                "app": "app-" + min(protos),
                "category": "other",
                "proto": min(protos),
                "host": None,
                "evidence": "payload",
                "packets": counts.packets,
                "bytes": counts.bytes,
                "first_ns": counts.first_ns or 0,
                "last_ns": max(counts.last_ns or 0, counts.first_ns or 0),
            }
        )
    return sorted(lines, key=lambda line: line["first_ns"])


def report_of(truth_data, lines):
    """The --json object that fits the lines."""
    apps = defaultdict(lambda: [0, 0, 0])
    for line in lines:
        sums = apps[line["app"]]
        sums[0] += 1
        sums[1] += sum(line["packets"])
        sums[2] += sum(line["bytes"])
    return {
        "packets": truth_data["packets"],
        "bytes": truth_data["bytes"],
        "outcomes": {"counted": truth_data["packets"], "malformed": 0},
        "flows": len(lines),
        "apps": [{"app": a, "flows": s[0], "packets": s[1], "bytes": s[2]} for a, s in apps.items()],
        "usage": [],
        "triggers": {},
        "suppressed": {},
    }


def result_of(truth_data, lines, report=None, exit=0, stderr=b""):
    report = report_of(truth_data, lines) if report is None else report
    stdout = (json.dumps(report) + "\n").encode()
    flows = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return program.Result(exit, stdout, stderr, flows)


def faultless_result(truth_data, cap):
    """What the contract asks for with this capture."""
    foreign = cap.unsupported_linktypes
    if foreign:
        kinds = " and ".join(str(k) for k in sorted(foreign))
        return program.Result(1, b"", f"wirecue: cannot read link type {kinds} of this capture\n".encode())
    result = result_of(truth_data, faultless_lines(truth_data))
    if cap.is_broken:
        return result._replace(exit=1, stderr=b"wirecue: capture breaks off in the middle of a record\n")
    return result
