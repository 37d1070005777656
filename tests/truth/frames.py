# SPDX-License-Identifier: BSD-3-Clause
"""Small valid frames of the kinds the data path opens, and capture files around them: raw material
for tests that then damage them. Addresses and names are documentation ones (RFC 5737, 3849, 2606)."""

import ipaddress
import struct

MAC = bytes.fromhex("020000000002020000000001")


def ip_checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(proto, payload, src="10.0.0.1", dst="192.0.2.1", fragment=0, options=b""):
    ihl = 5 + len(options) // 4
    addresses = ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed
    head = struct.pack(">BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(payload), 7, fragment, 64, proto, 0)
    checksum = ip_checksum(head + addresses + options)
    return head[:10] + struct.pack(">H", checksum) + addresses + options + payload


def ipv6(proto, payload, src="2001:db8::1", dst="2001:db8::2"):
    addresses = ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed
    return struct.pack(">IHBB", 0x60000000, len(payload), proto, 64) + addresses + payload


def udp(sport, dport, payload):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, flags, payload=b"", seq=1):
    return struct.pack(">HHIIBBHHH", sport, dport, seq, 1, 0x50, flags, 65535, 0, 0) + payload


def ethernet(ethertype, payload):
    return MAC + struct.pack(">H", ethertype) + payload


def vlan(tag, ethertype, payload):
    return struct.pack(">HH", tag, ethertype) + payload


def gtpu(payload, extension=b""):
    flags = 0x34 if extension else 0x30
    body = (b"\x00\x00\x00\x85" + extension if extension else b"") + payload
    return struct.pack(">BBHI", flags, 0xFF, len(body), 0x1234) + body


def dns_query(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", 0x1A2B, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def dns_answer(name):
    query = dns_query(name)
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 9])
    return query[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + query[12:] + answer


def client_hello(name):
    host = name.encode()
    sni = struct.pack(">HBH", len(host) + 3, 0, len(host)) + host
    extensions = struct.pack(">HH", 0, len(sni)) + sni + struct.pack(">HHBH", 43, 3, 2, 0x0304)
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">HH", 2, 0x1301) + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


def templates():
    """One valid Ethernet frame of each kind, as [bytes]."""
    query = udp(40000, 53, dns_query("www.shop.example"))
    answer = udp(53, 40000, dns_answer("www.shop.example"))
    hello = tcp(40001, 443, 0x18, client_hello("video.rival.example"))
    http = tcp(40002, 80, 0x18, b"GET /a HTTP/1.1\r\nHost: www.shop.example\r\nUser-Agent: t\r\n\r\n")
    quic = udp(40003, 443, b"\xc3\0\0\0\x01\x08" + bytes(8) + b"\0\0\x41\0" + bytes(range(256)))
    echo = b"\x08\0\xf7\xff\0\0\0\0"
    chunk = struct.pack(">HHII", 2905, 2906, 1, 0) + b"\x03\0\0\x10" + bytes(12)
    hop_by_hop = b"\x3c\0\x01\x04\0\0\0\0" + b"\x2c\0\x01\x04\0\0\0\0" + b"\x11\0\0\x01\0\0\0\x09"
    gtpc_v1 = struct.pack(">BBHIHBB", 0x32, 16, 11, 0, 1, 0, 0) + b"\x02\0\x01\x01\0\0\0\0\0"[:7]
    gtpc_v2 = struct.pack(">BBHI", 0x48, 32, 16, 0) + b"\0\0\x01\0" + b"\x01\0\x04\0\0\x01\x01\0"
    radius = struct.pack(">BBH", 4, 1, 26) + bytes(16) + b"\x28\x06\0\0\0\x01"
    packet_in = ipv4(17, query, src="10.0.0.9")
    return [
        ethernet(0x0800, ipv4(17, query)),
        ethernet(0x0800, ipv4(17, answer, src="192.0.2.1", dst="10.0.0.1")),
        ethernet(0x0800, ipv4(6, tcp(40001, 443, 0x02))),
        ethernet(0x0800, ipv4(6, hello)),
        ethernet(0x0800, ipv4(6, http, options=b"\x01\x01\x01\x00")),
        ethernet(0x0800, ipv4(17, quic)),
        ethernet(0x0800, ipv4(1, echo)),
        ethernet(0x0800, ipv4(132, chunk)),
        ethernet(0x0800, ipv4(17, query[:24], fragment=0x2000)),
        ethernet(0x0800, ipv4(17, query[24:], fragment=3)),
        ethernet(0x8100, vlan(100, 0x0800, ipv4(6, hello))),
        ethernet(0x88A8, vlan(7, 0x8100, vlan(100, 0x86DD, ipv6(6, http)))),
        ethernet(0x86DD, ipv6(17, query)),
        ethernet(0x86DD, ipv6(0, hop_by_hop + query)),
        ethernet(0x0800, ipv4(17, udp(2152, 2152, gtpu(packet_in)))),
        ethernet(0x8100, vlan(9, 0x0800, ipv4(17, udp(2152, 2152, gtpu(ipv6(6, hello), b"\x01\0\x09\0"))))),
        ethernet(0x86DD, ipv6(17, udp(2152, 2152, gtpu(ipv4(6, http, src="10.0.0.9"))))),
        ethernet(0x0800, ipv4(17, udp(2123, 2123, gtpc_v1))),
        ethernet(0x0800, ipv4(17, udp(2123, 2123, gtpc_v2))),
        ethernet(0x0800, ipv4(17, udp(1813, 1813, radius))),
        ethernet(0x0806, bytes.fromhex("0001080006040001") + bytes(20)),
        ethernet(0x0800, ipv4(47, bytes.fromhex("00000800") + packet_in)),
        ethernet(0x0800, ipv4(4, packet_in)),
        ethernet(0x8847, bytes.fromhex("00064140") + packet_in),
    ]


def pcap_header(linktype=1, snaplen=65535, magic=0xA1B2C3D4):
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)


def pcap_record(frame, sec=1000, usec=0, caplen=None, wire_len=None):
    """caplen and wire_len are the frame's unless given: then what the header claims."""
    caplen = len(frame) if caplen is None else caplen
    wire_len = len(frame) if wire_len is None else wire_len
    return struct.pack("<4I", sec, usec, caplen, wire_len) + frame


def pcap(frames, **header):
    return pcap_header(**header) + b"".join(pcap_record(f, sec=1000 + i) for i, f in enumerate(frames))


def pcapng_block(kind, body, total=None, trailer=None):
    """total and trailer are the right lengths unless given."""
    body += bytes(-len(body) % 4)
    right = 12 + len(body)
    total = right if total is None else total
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total if trailer is None else trailer)


def pcapng_section(byte_order=0x1A2B3C4D):
    return pcapng_block(0x0A0D0D0A, struct.pack("<IHHq", byte_order, 1, 0, -1))


def pcapng_interface(linktype=1, snaplen=65535, options=b""):
    return pcapng_block(1, struct.pack("<HHI", linktype, 0, snaplen) + options)


def pcapng_packet(frame, ifidx=0, caplen=None, wire_len=None, units=1_000_000_000):
    caplen = len(frame) if caplen is None else caplen
    wire_len = len(frame) if wire_len is None else wire_len
    return pcapng_block(6, struct.pack("<5I", ifidx, units >> 32, units & 0xFFFFFFFF, caplen, wire_len) + frame)


def pcapng(frames):
    blocks = [pcapng_packet(f, units=1_000_000_000 + i) for i, f in enumerate(frames)]
    return pcapng_section() + pcapng_interface() + b"".join(blocks)
