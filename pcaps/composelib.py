# SPDX-License-Identifier: BSD-3-Clause
"""Recordings played again for made-up subscribers: what the compose scripts of this folder share.

Addresses, ports, times, TCP sequence numbers and timestamps of recorded frames are rewritten and checksums made
right again. No clock and no random numbers: the same recordings give the same bytes.
"""
import argparse
import io
import ipaddress
import os
import struct
import sys
from datetime import datetime, timezone

import pcaplib
from pcaplib import ETH_IPV4, ETH_IPV6, TCP, UDP

HERE = os.path.dirname(os.path.abspath(__file__))
MS = 10**6
SEC = 10**9
MB = 10**6

WHOLE_PAYLOADS = 10  # so many frames with payload of a flow stay whole: a classifier needs them
SMALL = 128  # bytes; TLS alerts and the like stay whole wherever they are
BULK_UNIT = 100_000  # bytes; a request answered with at least this much can be repeated
NET_DELAY = 18 * MS  # capture point to server and back; the recording has next to none
RADIO_DELAY = 3 * MS  # capture point to client and back


# ---- recordings -----------------------------------------------------------------------------------------------


class Recorded:
    """One frame of an exchange."""

    def __init__(self, ns, up, frame, pkt):
        self.ns = ns
        self.up = up
        self.ip = frame.data[14:]
        self.pkt = pkt
        self.is_whole = len(frame.data) == frame.wire_len
        self.flags = frame.data[pkt.l4_off + 13] if pkt.l4_proto == TCP else 0
        self.seq = self.ack = 0
        if pkt.l4_proto == TCP:
            self.seq, self.ack = struct.unpack_from("!II", frame.data, pkt.l4_off + 4)

    @property
    def is_ack_only(self):
        """A TCP acknowledgement; in QUIC, where all is hidden, what is as small as one."""
        if self.pkt.l4_proto == TCP:
            return self.up and self.pkt.payload_len == 0 and self.flags == 0x10
        return self.up and self.pkt.payload_len < 60


class Recordings:
    """Exchanges by recording and, where a recording has several, by their order in it."""

    def __init__(self, folder):
        self.folder = folder
        self.cache = {}

    def exchanges(self, name):
        if name not in self.cache:
            self.cache[name] = self._load(name)
        return self.cache[name]

    def _load(self, name):
        flows = {}
        for f in pcaplib.read(os.path.join(self.folder, name + ".pcap")):
            p = pcaplib.parse_ip(f.data, 14)
            key = frozenset(((p.src, p.sport), (p.dst, p.dport)))
            frames = flows.setdefault(key, [])
            up = not frames or p.src == frames[0].pkt.src
            frames.append(Recorded(f.ns, up, f, p))
        return list(flows.values())

    def one(self, name):
        (exchange,) = self.exchanges(name)
        return exchange

    def dns(self, host, qtype, version):
        want = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        want += struct.pack("!BHH", 0, qtype, 1)
        for exchange in self.exchanges("dns"):
            query = exchange[0]
            if query.pkt.version == version and query.ip[query.pkt.payload_off - 14 + 12 :].startswith(want):
                return exchange
        raise ValueError(f"no recorded look-up of {host}, type {qtype}, over IPv{version}")

    def arp(self):
        return [(f.ns, f.data) for f in pcaplib.read(os.path.join(self.folder, "arp.pcap"))]


def drop_ack_runs(frames):
    """Of acknowledgements that follow one another only the last, as a receiver with GRO would send."""
    return [f for f, g in zip(frames, frames[1:] + [None]) if not (f.is_ack_only and g is not None and g.is_ack_only)]


class Bulk:
    """An exchange cut into a beginning, units that can be repeated, and an end."""

    def __init__(self, exchange):
        if exchange[0].pkt.l4_proto == TCP:
            self._split_tcp(exchange)
        else:
            self._split_udp(exchange)
        sizes = sorted(self._mean_down(u) for u in self.units)
        self.units = [u for u in self.units if self._mean_down(u) >= sizes[len(sizes) // 2]]

    @staticmethod
    def _mean_down(unit):
        down = [f.pkt.ip_len for f in unit if not f.up]
        return sum(down) / len(down)

    def _split_tcp(self, exchange):
        # A unit begins with a request and ends before the next: everything sent before it has then arrived.
        cuts = [i for i, f in enumerate(exchange) if f.up and (f.pkt.payload_len > 0 or f.flags & 1)]
        spans = list(zip(cuts, cuts[1:] + [len(exchange)]))
        sizes = [sum(f.pkt.payload_len for f in exchange[a:b] if not f.up) for a, b in spans]
        bulk = [s for s, n in zip(spans, sizes) if n >= BULK_UNIT]
        self.head = exchange[: bulk[0][0]]
        self.units = [drop_ack_runs(exchange[a:b]) for a, b in bulk]
        self.tail = exchange[bulk[-1][1] :]

    def _split_udp(self, exchange):
        # No sequence numbers in sight: cut the middle where the client speaks again after BULK_UNIT * 3 bytes.
        first, last = len(exchange) // 4, len(exchange) - 12
        self.head, self.tail = exchange[:30], exchange[last:]
        self.units, unit, down = [], [], 0
        for f in exchange[first:last]:
            if f.up and down >= 3 * BULK_UNIT:
                self.units.append(drop_ack_runs(unit))
                unit, down = [], 0
            unit.append(f)
            down += 0 if f.up else f.pkt.ip_len


# ---- the way to the capture point -------------------------------------------------------------------------------

GW_MAC = bytes.fromhex("020000000001")


def mac(n):
    return bytes.fromhex("02000000") + struct.pack("!H", n)


class Plain:
    def __init__(self, mac_no):
        self.mac = mac(mac_no)

    def ethernet(self, up, tags, eth_type):
        head = GW_MAC + self.mac if up else self.mac + GW_MAC
        for tpid, vid in tags:
            head += struct.pack("!HH", tpid, vid)
        return head + struct.pack("!H", eth_type)

    def wrap(self, up, ip, ip_len):
        """The frame around an IP packet of which `ip` was captured: bytes, length on the wire."""
        head = self.ethernet(up, (), ETH_IPV4 if ip[0] >> 4 == 4 else ETH_IPV6)
        return head + ip, len(head) + ip_len


class Vlan(Plain):
    """802.1Q, or 802.1ad with an inner 802.1Q tag; other ids each way, as in many mirrors."""

    def __init__(self, mac_no, up_tags, down_tags):
        super().__init__(mac_no)
        self.tags = {True: up_tags, False: down_tags}

    def wrap(self, up, ip, ip_len):
        head = self.ethernet(up, self.tags[up], ETH_IPV4 if ip[0] >> 4 == 4 else ETH_IPV6)
        return head + ip, len(head) + ip_len


class GtpU(Plain):
    """N3 or S1-U (3GPP TS 29.281): gNB 192.0.2.10, UPF 192.0.2.1, a TEID each way."""

    GNB, UPF = ipaddress.ip_address("192.0.2.10").packed, ipaddress.ip_address("192.0.2.1").packed

    def __init__(self, mac_no, teid_up, teid_down, has_pdu_session=False, has_sequence=False):
        super().__init__(mac_no)
        self.teid = {True: teid_up, False: teid_down}
        self.has_pdu_session = has_pdu_session
        self.has_sequence = has_sequence
        self.sequence = {True: 0, False: 0}

    def outer(self, up, gtp, gtp_len):
        """gtp = what was captured of a GTP-U message of gtp_len bytes."""
        src, dst = (self.GNB, self.UPF) if up else (self.UPF, self.GNB)
        # UDP without checksum, DF and identification 0: what tunnel endpoints do.
        udp = struct.pack("!HHHH", 2152, 2152, 8 + gtp_len, 0)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + gtp_len, 0, 0x4000, 64, UDP, 0, src, dst)
        ip = ip[:10] + struct.pack("!H", ~pcaplib.ones_sum(ip) & 0xFFFF) + ip[12:]
        return self.ethernet(up, (), ETH_IPV4) + ip + udp + gtp, 14 + 28 + gtp_len

    def wrap(self, up, ip, ip_len):
        optional = b""
        if self.has_pdu_session or self.has_sequence:
            optional = struct.pack("!HBB", self.sequence[up], 0, 0x85 if self.has_pdu_session else 0)
        if self.has_sequence:
            self.sequence[up] = (self.sequence[up] + 1) & 0xFFFF
        if self.has_pdu_session:  # TS 38.415 5.5.2: PDU type 0 down, 1 up; QFI 9; no further extension header
            optional += bytes([1, 0x10 if up else 0x00, 9, 0])
        flags = 0x30 | (4 if self.has_pdu_session else 0) | (2 if self.has_sequence else 0)
        gtp = struct.pack("!BBHI", flags, 255, len(optional) + ip_len, self.teid[up]) + optional
        return self.outer(up, gtp + ip, len(gtp) + ip_len)

    def echo(self, capture, t):
        """Echo request from the gNB and its response with the Recovery element (TS 29.281 7.2)."""
        for up, kind, body in ((True, 1, b""), (False, 2, b"\x0e\x00")):
            gtp = struct.pack("!BBHIHBB", 0x32, kind, 4 + len(body), 0, 7, 0, 0) + body
            capture.add(t, *self.outer(up, gtp, len(gtp)))
            t += MS


class Subscriber:
    def __init__(self, link, ipv4=None, ipv6=None):
        self.link = link
        self.address = {v: ipaddress.ip_address(a).packed for v, a in ((4, ipv4), (6, ipv6)) if a}
        self.n_flows = 0

    def port(self):
        """Spread over the ephemeral range, never one twice."""
        self.n_flows += 1
        return 32768 + self.n_flows * 379 % 28000


# ---- flows ------------------------------------------------------------------------------------------------------


class Capture:
    def __init__(self):
        self.frames = []

    def add(self, ns, data, wire_len):
        self.frames.append((ns, len(self.frames), data, wire_len))

    def packet(self, ns, flow, up, ip, ip_len):
        """An IP packet of a flow of which `ip` was captured, on the way its subscriber has."""
        self.add(ns, *flow.subscriber.link.wrap(up, ip, ip_len))

    def pcap(self):
        out = io.BytesIO()
        pcaplib.write_header(out, nanoseconds=True)
        for ns, _, data, wire_len in sorted(self.frames):
            pcaplib.write_frame(out, ns, data, wire_len, nanoseconds=True)
        return out.getvalue()


class Flow:
    """One copy of an exchange for one subscriber."""

    def __init__(self, capture, subscriber, exchange):
        first = exchange[0].pkt
        self.capture = capture
        self.subscriber = subscriber
        self.client = subscriber.address[first.version]
        self.server = first.dst
        self.sport = subscriber.port() if first.sport else 0
        self.delta = {True: 0, False: 0}  # added to the recorded sequence numbers of each direction
        self.ts_clock = {}  # direction: first TSval, when
        self.ts_last = {True: 0, False: 0}
        self.n_payloads = 0

    def emit(self, t, rec, dns_id=None):
        p = rec.pkt
        ip = bytearray(rec.ip)
        l4 = p.l4_off - p.l3_off
        head = p.payload_off - p.l3_off
        is_whole = rec.is_whole
        if p.payload_len > 0:
            self.n_payloads += 1
            if self.n_payloads > WHOLE_PAYLOADS and p.ip_len > SMALL:
                is_whole = False
        if not is_whole:
            del ip[head:]
        src, dst = (self.client, self.server) if rec.up else (self.server, self.client)
        if p.version == 4:
            ip[12:20] = src + dst
            ip[10:12] = b"\0\0"
            ip[10:12] = struct.pack("!H", ~pcaplib.ones_sum(ip[:l4]) & 0xFFFF)
        else:
            ip[8:40] = src + dst
        if p.l4_proto in (TCP, UDP):
            ip[l4 : l4 + 4] = struct.pack("!HH", *((self.sport, p.dport) if rec.up else (p.sport, self.sport)))
        if dns_id is not None:
            ip[head : head + 2] = struct.pack("!H", dns_id)
        if p.l4_proto == TCP:
            self._tcp_numbers(t, rec, ip, l4, head)
        self._checksum(p, ip, l4, is_whole, src, dst)
        self.capture.packet(t, self, rec.up, bytes(ip), p.ip_len)

    def _tcp_numbers(self, t, rec, ip, l4, head):
        ack = (rec.ack + self.delta[not rec.up]) if rec.flags & 0x10 else 0
        struct.pack_into("!II", ip, l4 + 4, (rec.seq + self.delta[rec.up]) & 0xFFFFFFFF, ack & 0xFFFFFFFF)
        off = l4 + 20
        while off < head:
            kind = ip[off]
            if kind == 1:  # no-operation
                off += 1
                continue
            if kind == 8:  # RFC 7323 3.2: our own clock in ms, and the peer's last value
                val, _ = struct.unpack_from("!II", ip, off + 2)
                val0, t0 = self.ts_clock.setdefault(rec.up, (val, t))
                self.ts_last[rec.up] = (val0 + (t - t0) // MS) & 0xFFFFFFFF
                struct.pack_into("!II", ip, off + 2, self.ts_last[rec.up], self.ts_last[not rec.up])
            if kind == 0 or ip[off + 1] < 2:
                break
            off += ip[off + 1]

    @staticmethod
    def _checksum(p, ip, l4, is_whole, src, dst):
        off = {TCP: 16, UDP: 6, pcaplib.ICMPV6: 2}.get(p.l4_proto)
        if off is None:
            return
        ip[l4 + off : l4 + off + 2] = b"\0\0"
        s = pcaplib.pseudo_sum(src, dst, p.l4_proto, p.ip_len - l4)
        if is_whole:
            s = ~pcaplib.ones_sum(ip[l4:], s) & 0xFFFF
            if s == 0 and p.l4_proto == UDP:
                s = 0xFFFF
        # else: the pseudo header's sum, as a sender leaves it for its card to complete (TSO)
        struct.pack_into("!H", ip, l4 + off, s)


def play(flow, t, frames, dns_id=None):
    """Emit frames with their recorded distances plus a round trip where the direction turns; returns when done."""
    before = None
    for rec in frames:
        if before is not None:
            t += rec.ns - before.ns
            if rec.up != before.up:
                t += RADIO_DELAY if rec.up else NET_DELAY
        flow.emit(t, rec, dns_id)
        before = rec
    return t


class Director:
    """What happens in a capture, in words of the story."""

    def __init__(self, recordings):
        self.recordings = recordings
        self.capture = Capture()
        self.bulks = {}
        self.n_lookups = 0

    def lookup(self, who, t, host):
        version = 6 if 6 in who.address else 4
        for qtype in (1, 28):
            self.n_lookups += 1
            exchange = self.recordings.dns(host, qtype, version)
            flow = Flow(self.capture, who, exchange)
            play(flow, t, exchange, dns_id=self.n_lookups * 40503 % 65536)
            t += 400_000
        return t + NET_DELAY + 5 * MS

    def exchange(self, who, t, name, host=None):
        """A short exchange as it was recorded, after the look-up of its host."""
        if host is not None:
            t = self.lookup(who, t, host)
        for e in self.recordings.exchanges(name):
            if e[0].pkt.version in who.address:
                t = play(Flow(self.capture, who, e), t, e) + 40 * MS
        return t

    def bulk(self, who, t, name, host, rate_bps, duration_s=None, n_bytes=None):
        """Repeat an exchange's bulk at a mean rate until a duration or a volume is reached. Returns its end."""
        t = self.lookup(who, t, host)
        if name not in self.bulks:
            self.bulks[name] = Bulk(self.recordings.one(name))
        b = self.bulks[name]
        flow = Flow(self.capture, who, b.head)
        until = t + duration_s * SEC if duration_s else None
        t = play(flow, t, b.head) + 50 * MS
        is_tcp = b.head[0].pkt.l4_proto == TCP
        # Where each direction stands: behind the head.
        at = {up: self._next_seq(b.head, up) for up in (True, False)}
        done, i = 0, 0
        while (t < until) if until else (done < n_bytes):
            unit = b.units[i % len(b.units)]
            size = sum(f.pkt.ip_len for f in unit)
            length = size * 8 * SEC // rate_bps
            if is_tcp:
                self._shift(flow, unit, at)
            scale = length * 2 // 5 / max(1, unit[-1].ns - unit[0].ns)  # a burst, then silence until the next
            before = None
            for f in unit:
                at_ns = t + round((f.ns - unit[0].ns) * scale)
                # The answer cannot come before the request has been to the server.
                at_ns += NET_DELAY if before is not None or not f.up else 0
                flow.emit(at_ns, f)
                before = f
            if is_tcp:
                for up in (True, False):
                    at[up] += sum(f.pkt.payload_len for f in unit if f.up == up)
            done += size
            t += length
            i += 1
        if is_tcp and b.tail:
            self._shift(flow, b.tail, at)
        play(flow, t, b.tail)
        return t

    @staticmethod
    def _next_seq(frames, up):
        last = max((f for f in frames if f.up == up), key=lambda f: f.ns)
        return last.seq + last.pkt.payload_len + (1 if last.flags & 3 else 0)

    @staticmethod
    def _shift(flow, frames, at):
        """The first frame is a request that acknowledges everything: put both directions where they now stand."""
        flow.delta[True] = at[True] - frames[0].seq
        flow.delta[False] = at[False] - frames[0].ack

    def arp(self, who, t):
        frames = self.recordings.arp()
        ours, theirs = who.link.mac, who.address[4]
        for ns, data in frames:
            # The recorded client is 02:00:00:00:00:11, 10.20.0.11.
            data = data.replace(mac(0x11), ours).replace(bytes([10, 20, 0, 11]), theirs)
            self.capture.add(t + ns - frames[0][0], data, len(data))


def utc(month, day, hour, minute=0, second=0):
    return int(datetime(2026, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()) * SEC


def main(doc, files):
    """Write or compare what files(recordings) yields: names below the output folder, and bytes."""
    parser = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare instead of write; exit 1 on a difference")
    parser.add_argument("--recorded", default=os.path.join(HERE, "recorded"), help="folder of the recordings")
    parser.add_argument("--out", default=HERE, help="folder of the captures")
    args = parser.parse_args()
    n_bad = 0
    for name, data in files(Recordings(args.recorded)):
        path = os.path.join(args.out, name)
        if not args.check:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
            print(f"{path}: {len(data)} bytes")
            continue
        try:
            with open(path, "rb") as f:
                is_same = f.read() == data
        except OSError as err:
            print(f"{path}: {err.strerror}", file=sys.stderr)
            n_bad += 1
            continue
        if not is_same:
            print(f"{path}: is not what the recordings in {args.recorded} give", file=sys.stderr)
            n_bad += 1
    return 1 if n_bad else 0
