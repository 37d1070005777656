# SPDX-License-Identifier: BSD-3-Clause
"""What a capture file itself says: link types, records, lengths, times, and whether it breaks off.

A second reading of the container, independent of libpcap and of the program under test: it walks the
record and block structure only and never looks into a frame. Used to decide what the program must do
with a file (work, refuse, report what was read) and to find the places worth damaging.

Formats: pcap (draft-ietf-opsawg-pcap: microseconds, nanoseconds, the modified variant), pcapng
(draft-ietf-opsawg-pcapng: SHB, IDB, EPB, SPB and the obsolete Packet Block).
"""

import struct
from collections import namedtuple

# LINKTYPE values (tcpdump.org/linktypes.html) that wirecue reads: BSD loopback (0, 108), Ethernet, PPP
# (9; 50 with HDLC framing), PPPoE, Cisco HDLC, raw IP under its five numbers, Linux cooked v1 and v2,
# 802.11 (105; 127 with radiotap).
LINKTYPES_SUPPORTED = frozenset((0, 108, 1, 9, 50, 51, 104, 12, 14, 101, 228, 229, 113, 276, 105, 127))

# How messages may name the others, beside the plain number.
LINKTYPE_NAMES = {
    109: ("enc",),
    119: ("prism",),
    147: ("user0",),
    189: ("usb_linux",),
    195: ("802_15_4",),
    220: ("usb_linux_mmapped",),
}

MAX_RECORD_LEN = 1 << 30  # more than any record a tool writes: a length above is damage


# offset and head_len are the record's place in the file, for tests that damage it.
# ts_ns is None for a Simple Packet Block, which has no time.
Record = namedtuple("Record", "offset head_len linktype caplen wire_len ts_ns")


class Capture:
    """The structure of one capture file, as far as it could be walked."""

    def __init__(self):
        self.container = None  # "pcap", "pcapng" or None when it is neither
        self.linktypes = []  # of the file header or of each interface, in file order
        self.records = []
        self.is_broken = False  # ends in the middle of a record, a block or the file header
        self.damage = ""  # why walking stopped early, "" when it did not

    @property
    def n_packets(self):
        return len(self.records)

    @property
    def n_bytes(self):
        return sum(r.wire_len for r in self.records)

    @property
    def is_monotonic(self):
        times = [r.ts_ns for r in self.records]
        return None not in times and all(a <= b for a, b in zip(times, times[1:]))

    @property
    def unsupported_linktypes(self):
        """Link types the program must refuse: that of the file or its first interface, before it reads
        anything, and any that a record has. An interface without a record does not matter."""
        kinds = set(self.linktypes[:1]) | {r.linktype for r in self.records}
        return kinds - LINKTYPES_SUPPORTED


def _stop(cap, why):
    cap.is_broken = True
    cap.damage = why
    return cap


_PCAP_MAGIC = {  # magic as written: (byte order, nanoseconds per fraction unit, record header length)
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}


def _walk_pcap(data, cap):
    order, fraction_ns, head_len = _PCAP_MAGIC[data[:4]]
    if len(data) < 24:
        return _stop(cap, "file header cut short")
    # The upper bits of the field hold the FCS length, the lower 16 the type.
    linktype = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    cap.linktypes.append(linktype)
    off = 24
    while off < len(data):
        if len(data) - off < head_len:
            return _stop(cap, f"record header at {off} cut short")
        sec, fraction, caplen, wire_len = struct.unpack_from(order + "4I", data, off)
        if caplen > MAX_RECORD_LEN or len(data) - off - head_len < caplen:
            return _stop(cap, f"record at {off} cut short")
        ts_ns = sec * 1_000_000_000 + fraction * fraction_ns
        cap.records.append(Record(off, head_len, linktype, caplen, wire_len, ts_ns))
        off += head_len + caplen
    return cap


class _Interface:
    def __init__(self, linktype, snaplen):
        self.linktype = linktype
        self.snaplen = snaplen
        self.units_per_s = 1_000_000
        self.offset_s = 0

    def ts_ns(self, high, low):
        units = high << 32 | low
        sec, rest = divmod(units, self.units_per_s)
        return (sec + self.offset_s) * 1_000_000_000 + rest * 1_000_000_000 // self.units_per_s


def _read_interface(order, body):
    linktype, _, snaplen = struct.unpack_from(order + "HHI", body)
    interface = _Interface(linktype, snaplen)
    off = 8
    while off + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, off)
        value = body[off + 4 : off + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == 9 and length == 1:  # if_tsresol
            exponent = value[0] & 0x7F
            interface.units_per_s = 2**exponent if value[0] & 0x80 else 10**exponent
        elif code == 14 and length == 8:  # if_tsoffset
            interface.offset_s = struct.unpack(order + "q", value)[0]
        off += 4 + (length + 3 & ~3)
    return interface


def _read_block_packet(order, kind, block_off, body, interfaces):
    """The record of one packet block; None when its fields contradict each other."""
    if kind == 3:  # Simple Packet Block: first interface, no time
        if not interfaces or len(body) < 4:
            return None
        wire_len = struct.unpack_from(order + "I", body)[0]
        caplen = min(wire_len, interfaces[0].snaplen or wire_len)
        if len(body) - 4 < caplen:
            return None
        return Record(block_off, 12, interfaces[0].linktype, caplen, wire_len, None)
    if len(body) < 20:
        return None
    if kind == 6:
        ifidx, high, low, caplen, wire_len = struct.unpack_from(order + "5I", body)
    else:  # 2: obsolete Packet Block, 16-bit interface and drop count
        ifidx, _, high, low, caplen, wire_len = struct.unpack_from(order + "HH4I", body)
    if ifidx >= len(interfaces) or len(body) - 20 < caplen:
        return None
    interface = interfaces[ifidx]
    return Record(block_off, 28, interface.linktype, caplen, wire_len, interface.ts_ns(high, low))


def _walk_pcapng(data, cap):
    interfaces = []
    order = "<"
    off = 0
    while off < len(data):
        if len(data) - off < 12:
            return _stop(cap, f"block header at {off} cut short")
        if data[off : off + 4] == b"\x0a\x0d\x0d\x0a":
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(data[off + 8 : off + 12])
            if order is None:
                return _stop(cap, f"section at {off} has no byte order")
            interfaces = []
        kind, total = struct.unpack_from(order + "II", data, off)
        if total < 12 or total % 4 or total > MAX_RECORD_LEN or len(data) - off < total:
            return _stop(cap, f"block at {off} cut short or damaged")
        body = data[off + 8 : off + total - 4]
        if kind == 1 and len(body) >= 8:
            interfaces.append(_read_interface(order, body))
            cap.linktypes.append(interfaces[-1].linktype)
        elif kind in (2, 3, 6):
            record = _read_block_packet(order, kind, off, body, interfaces)
            if record is None:
                return _stop(cap, f"packet block at {off} contradicts itself")
            cap.records.append(record)
        off += total
    return cap


def walk(data):
    """The Capture of a file's bytes. Never raises on bad content."""
    cap = Capture()
    if data[:4] in _PCAP_MAGIC:
        cap.container = "pcap"
        return _walk_pcap(data, cap)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        cap.container = "pcapng"
        return _walk_pcapng(data, cap)
    return _stop(cap, "neither pcap nor pcapng")


def read(path):
    with open(path, "rb") as f:
        return walk(f.read())
