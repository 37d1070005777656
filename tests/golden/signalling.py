# SPDX-License-Identifier: BSD-3-Clause
"""Frames of signalling and of what subscribers send meanwhile, made element by element, and captures of them.

Identifiers are of the test network (MCC 001) and of no country (E.164 999)."""
import ipaddress
import struct

GTPC, GTPU, RADIUS = 2123, 2152, 1813
START, STOP, INTERIM = 1, 2, 3
SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def packed(address):
    return ipaddress.ip_address(address).packed


def ip(src, dst, proto, payload, ident=0, fragment=0):
    """An IP packet of the version that the addresses have. fragment: RFC 791's flags and offset."""
    a, b = packed(src), packed(dst)
    if len(a) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, proto, 0) + a + b
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        return head[:10] + struct.pack("!H", 0xFFFF - total) + head[12:] + payload
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + a + b + payload


def udp(src, dst, sport, dport, payload, ident=0):
    return ip(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, ident)


def fragments(packet, size=1480):
    """An IPv4 packet in parts, the last one first."""
    head, payload = packet[:20], packet[20:]
    src, dst = head[12:16], head[16:20]
    parts = []
    for off in range(0, len(payload), size):
        more = 0x2000 if off + size < len(payload) else 0
        parts.append(ip(ipaddress.ip_address(src), ipaddress.ip_address(dst), head[9], payload[off : off + size], 77, more | off // 8))
    return parts[::-1]


def gtpu(src, dst, teid, packet):
    return udp(src, dst, GTPU, GTPU, struct.pack("!BBHI", 0x30, 255, len(packet), teid) + packet)


def tbcd(digits):
    pairs = digits + "f" * (len(digits) % 2)
    return bytes(int(pairs[i + 1] + pairs[i], 16) for i in range(0, len(pairs), 2))


def plmn(mcc, mnc):
    a, b = mcc, mnc.ljust(3, "f")
    return bytes(int(x, 16) for x in (a[1] + a[0], b[2] + a[2], b[1] + b[0]))


class Gtpv2:
    """A message of GTPv2-C."""

    def __init__(self, kind, teid, seq):
        self.head, self.body = (kind, teid, seq), b""

    def ie(self, kind, value, instance=0):
        self.body += struct.pack("!BHB", kind, len(value), instance) + value
        return self

    def fteid(self, interface, teid, node, instance=0):
        return self.ie(87, struct.pack("!BI", 0x80 | interface, teid) + packed(node), instance)

    def bytes(self):
        kind, teid, seq = self.head
        return struct.pack("!BBHI", 0x48, kind, 8 + len(self.body), teid) + struct.pack("!I", seq << 8) + self.body


def radius(status, session, *attributes):
    """Accounting-Request; attributes: (type, bytes)."""
    body = b""
    for kind, value in ((40, struct.pack("!I", status)), (44, session.encode()), *attributes):
        body += struct.pack("!BB", kind, 2 + len(value)) + value
    return struct.pack("!BBH", 4, 1, 20 + len(body)) + bytes(16) + body


class Capture:
    """Frames with their times, in seconds behind T0."""

    def __init__(self):
        self.frames = []

    def add(self, at, packet):
        kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        frame = b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + struct.pack("!H", kind) + packet
        self.frames.append((T0 + round(at * SECOND), frame))

    def write(self, path):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
            for ns, frame in sorted(self.frames, key=lambda f: f[0]):
                out.write(struct.pack("<IIII", ns // SECOND, ns % SECOND, len(frame), len(frame)) + frame)
