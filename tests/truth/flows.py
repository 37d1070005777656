# SPDX-License-Identifier: BSD-3-Clause
"""Three descriptions of the flows of one capture, brought to one form.

    ours    wirecue replay --flows: one line a flow, split where a new SYN started one
    truth   tshark.flows: one entry per 5-tuple and encapsulation
    ndpi    ndpiReader's rows: one per 5-tuple, VLAN id and tunnel type

The common key is the innermost 5-tuple without direction: (protocol number, lower end, higher end),
an end being (address, port). Ports are 0 where a protocol has none. Counts are kept per end that sent
them, so it does not matter whom a side takes for the initiator.
"""

import ipaddress
from collections import defaultdict, namedtuple

# IANA protocol numbers behind the names that any of the three uses.
_L4_NUMBER = {
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "ipv4": 4,
    "tcp": 6,
    "egp": 8,
    "igp": 9,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "eigrp": 88,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
    "l2tp": 115,
    "frag": 44,
    "sctp": 132,
    "udplite": 136,
}
_L4_NAME = {number: name for name, number in _L4_NUMBER.items() if name not in ("hopopt", "frag", "ipv4")}
_WITH_PORTS = frozenset((6, 17, 33, 132, 136))

Key = namedtuple("Key", "l4 low high")


def l4_number(name):
    """Protocol number of "tcp", "6", "ip-6" or "ip-tcp"; -1 for the empty name, ValueError for others."""
    name = str(name).removeprefix("ip-")
    if name == "":
        return -1
    if name in _L4_NUMBER:
        return _L4_NUMBER[name]
    return int(name)


def _address(text):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text  # ndpiReader's CSV breaks some IPv6 addresses; such a row then matches nothing


def key_of(l4, src, sport, dst, dport):
    """The Key, and whether src is its lower end."""
    ends = ((_address(src), int(sport or 0)), (_address(dst), int(dport or 0)))
    low, high = sorted(ends)
    return Key(l4_number(l4), low, high), ends[0] == low


def key_text(key):
    """How reports and exceptions write a key: "udp 10.0.0.1:53 [2001:db8::1]:4000", "icmp A B"."""

    def end(address, port):
        if key.l4 not in _WITH_PORTS and port == 0:
            return address
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    return f"{_L4_NAME.get(key.l4, f'ip-{key.l4}')} {end(*key.low)} {end(*key.high)}"


class Counts:
    """What is known of one key: per end (lower, higher) packets and IP bytes, times, nDPI verdicts."""

    def __init__(self):
        self.packets = [0, 0]
        self.bytes = [0, 0]
        self.first_ns = None
        self.last_ns = None
        self.protos = []

    def add_direction(self, idx, n_packets, n_bytes):
        self.packets[idx] += n_packets
        self.bytes[idx] += n_bytes

    def add_times(self, first_ns, last_ns):
        if first_ns is not None:
            self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        if last_ns is not None:
            self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def add(self, other):
        for idx in (0, 1):
            self.add_direction(idx, other.packets[idx], other.bytes[idx])
        self.add_times(other.first_ns, other.last_ns)
        self.protos += other.protos


def _add_entry(table, key, src_is_low, packets, octets):
    counts = table[key]
    fwd = 0 if src_is_low else 1
    # Both ends the same (a portless loopback flow): no side can tell the directions apart.
    rev = fwd if key.low == key.high else 1 - fwd
    counts.add_direction(fwd, packets[0], octets[0])
    counts.add_direction(rev, packets[1], octets[1])
    return counts


def _seconds_to_ns(text):
    if not text:  # Wireshark has no time for the packets of a Simple Packet Block
        return None
    sec, _, fraction = text.partition(".")
    return int(sec) * 1_000_000_000 + int((fraction + "000000000")[:9])


class Truth:
    """tshark.flows of one truth file."""

    def __init__(self, entries):
        self.counts = defaultdict(Counts)
        # Keys whose transport header Wireshark did not dissect ("ip-udp"): the truth claims
        # protocol, addresses and counts there, but no ports.
        self.without_ports = set()
        # Frames whose IP header Wireshark could not read (no address): no flow to compare with.
        self.n_unreadable = 0
        for e in entries:
            if not e["src"]:
                self.n_unreadable += e["fwd_pkts"] + e["rev_pkts"]
                continue
            key, src_is_low = key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
            if e["sport"] is None and key.l4 in _WITH_PORTS:
                self.without_ports.add(key)
            packets = (e["fwd_pkts"], e["rev_pkts"])
            octets = (e["fwd_ip_bytes"], e["rev_ip_bytes"])
            counts = _add_entry(self.counts, key, src_is_low, packets, octets)
            counts.add_times(_seconds_to_ns(e.get("first")), _seconds_to_ns(e.get("last")))


def ours(lines):
    """{Key: Counts} of the parsed lines of --flows."""
    table = defaultdict(Counts)
    for e in lines:
        key, src_is_low = key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
        counts = _add_entry(table, key, src_is_low, e["packets"], e["bytes"])
        counts.add_times(e["first_ns"], e["last_ns"])
        counts.protos.append(e["proto"])
    return table


class Ndpi:
    """ndpiReader's verdicts of one truth file: a look-up by Key.

    Where it missed a name that Wireshark saw, and nDPI's own host table knows that name (`name_gaps`), the verdict is what
    it would have said had it seen the name: QUIC, or QUIC with a guess by address, becomes QUIC.YouTube, and nothing
    else is right."""

    def __init__(self, truth):
        section = truth.get("ndpi42") or {}
        rows = section.get("flows_converted") or section.get("flows_tunnels") or []
        self._protos = self._index(rows)
        # Only for what `-t` did not open (802.1ad and other layers): its own rows come first.
        inner = section.get("flows_inner") or []
        self._inner = self._index(inner)
        self._by_name = self._index_names(truth, rows + inner)

    @staticmethod
    def _index(rows):
        index = defaultdict(set)
        for e in rows:
            key, _ = key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
            index[key].add(e["proto"])
        return index

    @staticmethod
    def _index_names(truth, rows):
        """{Key: what nDPI's host table says of its name}, where no row of the flow has the name, or has it in vain."""
        gaps = [e for part in (truth.get("name_gaps") or {}).values() if isinstance(part, list) for e in part]
        table = {e["name"]: e["ndpi42_host_table_says"] for e in gaps if e.get("ndpi42_host_table_says")}
        missed = {(e["name"], e["src"], e["sport"], e["dst"], e["dport"]) for e in gaps}
        read = defaultdict(set)
        for e in rows:
            key, _ = key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
            read[key].add((e.get("name") or "").lower())
        index = defaultdict(set)
        for e in truth["tshark"].get("names") or []:
            key, _ = key_of(e["l4"], e["src"], e["sport"], e["dst"], e["dport"])
            is_missed = (e["name"], e["src"], e["sport"], e["dst"], e["dport"]) in missed
            if e["name"] in table and (is_missed or e["name"].lower() not in read[key]):
                index[key].add(table[e["name"]])
        return index

    def protos(self, key):
        """Every verdict on this 5-tuple, had each name been seen; empty where ndpiReader saw no such flow."""
        seen, named = self._seen(key), self._by_name.get(key)
        if not named:
            return seen
        return {f"{proto.partition('.')[0]}.{app}" for proto in seen - {"Unknown"} for app in named}

    def is_by_name(self, key):
        """Whether the verdict is one that ndpiReader did not give for want of the name."""
        return key in self._by_name

    def _seen(self, key):
        """What ndpiReader said."""
        keys = [key]
        if key.l4 == 132:  # ndpiReader reads no SCTP ports: one row for all associations of two hosts
            low, high = sorted(((key.low[0], 0), (key.high[0], 0)))
            keys.append(Key(132, low, high))
        for index in (self._protos, self._inner):
            for k in keys:
                if k in index:
                    return index[k]
        return set()
