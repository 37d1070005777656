# SPDX-License-Identifier: BSD-3-Clause
"""Classic pcap files and Ethernet/IP/TCP/UDP headers, as far as the scripts of this folder need them.

Used by trim-recording and compose-evening on our own recordings, not on foreign input: a frame that is not what the
recording scripts make raises ValueError or struct.error.
"""
import struct
import typing

MAGIC_US, MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D
LINKTYPE_ETHERNET = 1
SNAPLEN = 262144

ETH_IPV4, ETH_IPV6, ETH_VLAN, ETH_SVLAN = 0x0800, 0x86DD, 0x8100, 0x88A8
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58


class Frame(typing.NamedTuple):
    ns: int  # since the epoch
    data: bytes  # what was captured
    wire_len: int


class Packet(typing.NamedTuple):
    version: int
    l4_proto: int
    src: bytes  # 4 or 16 bytes
    dst: bytes
    sport: int  # 0 where there are no ports
    dport: int
    l3_off: int
    l4_off: int
    payload_off: int  # behind the TCP or UDP header
    payload_len: int  # on the wire, from the IP header
    ip_len: int  # on the wire, from the IP header


def read(path):
    """Frames of a little-endian classic pcap file with Ethernet frames."""
    with open(path, "rb") as f:
        buf = f.read()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", buf, 0)
    if magic not in (MAGIC_US, MAGIC_NS) or link != LINKTYPE_ETHERNET:
        raise ValueError(f"{path}: not a little-endian pcap file of Ethernet frames")
    unit = 1000 if magic == MAGIC_US else 1
    off = 24
    while off < len(buf):
        sec, frac, cap_len, wire_len = struct.unpack_from("<IIII", buf, off)
        off += 16
        if len(buf) - off < cap_len:
            raise ValueError(f"{path}: breaks off in a frame")
        yield Frame(sec * 10**9 + frac * unit, buf[off : off + cap_len], wire_len)
        off += cap_len


def write_header(out, nanoseconds):
    magic = MAGIC_NS if nanoseconds else MAGIC_US
    out.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, SNAPLEN, LINKTYPE_ETHERNET))


def write_frame(out, ns, data, wire_len, nanoseconds):
    frac = ns % 10**9 // (1 if nanoseconds else 1000)
    out.write(struct.pack("<IIII", ns // 10**9, frac, len(data), wire_len))
    out.write(data)


def parse_ip(data, l3_off):
    """The packet whose Ethernet type stands in front of l3_off, None if it is not IP."""
    eth_type = struct.unpack_from("!H", data, l3_off - 2)[0]
    if eth_type == ETH_IPV4:
        l4_off = l3_off + (data[l3_off] & 15) * 4
        ip_len = struct.unpack_from("!H", data, l3_off + 2)[0]
        proto, src, dst = data[l3_off + 9], data[l3_off + 12 : l3_off + 16], data[l3_off + 16 : l3_off + 20]
    elif eth_type == ETH_IPV6:  # our recordings have no extension headers
        l4_off = l3_off + 40
        ip_len = 40 + struct.unpack_from("!H", data, l3_off + 4)[0]
        proto, src, dst = data[l3_off + 6], data[l3_off + 8 : l3_off + 24], data[l3_off + 24 : l3_off + 40]
    else:
        return None
    sport = dport = 0
    payload_off = l4_off
    if proto in (TCP, UDP):
        sport, dport = struct.unpack_from("!HH", data, l4_off)
        payload_off = l4_off + ((data[l4_off + 12] >> 4) * 4 if proto == TCP else 8)
    return Packet(
        4 if eth_type == ETH_IPV4 else 6,
        proto, src, dst, sport, dport, l3_off, l4_off, payload_off,
        l3_off + ip_len - payload_off,
        ip_len,
    )  # fmt: skip


def ones_sum(data, start=0):
    """RFC 1071, not yet complemented."""
    if len(data) & 1:
        data = bytes(data) + b"\0"
    s = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


def pseudo_sum(src, dst, proto, l4_len):
    return ones_sum(src + dst + struct.pack("!II", l4_len, proto))


def set_checksums(frame, p):
    """Of a whole frame's IPv4 header and its TCP or UDP."""
    if p.version == 4:
        struct.pack_into("!H", frame, p.l3_off + 10, 0)
        struct.pack_into("!H", frame, p.l3_off + 10, ones_sum(frame[p.l3_off : p.l4_off]) ^ 0xFFFF)
    at = p.l4_off + (16 if p.l4_proto == TCP else 6)
    end = p.l3_off + p.ip_len
    struct.pack_into("!H", frame, at, 0)
    total = ones_sum(frame[p.l4_off : end], pseudo_sum(p.src, p.dst, p.l4_proto, end - p.l4_off)) ^ 0xFFFF
    struct.pack_into("!H", frame, at, total or (0xFFFF if p.l4_proto == UDP else 0))
