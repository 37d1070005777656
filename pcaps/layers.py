# SPDX-License-Identifier: BSD-3-Clause
"""Headers around IP packets, as the networks of operators stack them: the material of compose-tunnels.

A Stack is the way of a subscriber's packets past the capture point: layers outermost first, each with what differs
by direction (VLAN ids, labels, TEIDs, addresses of the tunnel's ends). `inner` changes or splits the innermost packet
itself. Every packet says what it counts for, so that the composer can tell what a capture holds without reading it.
"""
import ipaddress
import struct
import typing
import zlib

import pcaplib

ETHERTYPES = {
    "ip4": 0x0800, "ip6": 0x86DD, "vlan": 0x8100, "svlan": 0x88A8, "mpls": 0x8847, "discovery": 0x8863, "pppoe": 0x8864,
    "eth": 0x6558, "ppp": 0x880B, "erspan": 0x88BE, "erspan3": 0x22EB,
}  # fmt: skip
IP_PROTOCOLS = {"ip4": 4, "tcp": 6, "udp": 17, "ip6": 41, "gre": 47}
PPP_PROTOCOLS = {"ip4": 0x0021, "ip6": 0x0057, "lcp": 0xC021}
IP_IN_IP = {("ip4", "ip4"): "ipip", ("ip4", "ip6"): "6in4", ("ip6", "ip4"): "4in6", ("ip6", "ip6"): "6in6"}


class Packet(typing.NamedTuple):
    kind: str  # what the bytes are
    data: bytes  # captured
    wire_len: int
    n_packets: int = 0  # innermost packets this one counts for
    ip_bytes: int = 0
    encaps: frozenset = frozenset()  # names of dataplane/encap.h
    offset: int = 0  # of a fragment's payload in its datagram

    def behind(self, kind, head, encap=None):
        encaps = self.encaps | {encap} if encap else self.encaps
        return self._replace(kind=kind, data=head + self.data, wire_len=len(head) + self.wire_len, encaps=encaps)


def mac(n):
    return b"\x02\0\0\0" + struct.pack("!H", n)


def address(text):
    return ipaddress.ip_address(text).packed


def kind_of(ip):
    return "ip4" if ip[0] >> 4 == 4 else "ip6"


class Stack:
    def __init__(self, *layers, inner=()):
        self.layers = layers
        self.inner = inner

    def wrap(self, up, ip, ip_len):
        packets = [Packet(kind_of(ip), ip, ip_len)]
        for change in self.inner:
            packets = [out for p in packets for out in change.wrap(up, p)]
        packets = [p._replace(n_packets=1, ip_bytes=p.wire_len) for p in packets]
        for layer in reversed(self.layers):
            packets = [out for p in packets for out in layer.wrap(up, p)]
        return packets


class Layer:
    """One header in front: `head` makes it, `kind` is what comes out, `encap` what is counted as opened."""

    kind = ""
    encap = None

    def head(self, up, p):
        raise NotImplementedError

    def wrap(self, up, p):
        return [p.behind(self.kind, self.head(up, p), self.encap)]


# ---- link layers --------------------------------------------------------------------------------------------------


class Ethernet(Layer):
    kind = "eth"

    def __init__(self, subscriber=0x2011, gateway=1, first_byte=2):
        self.ends = mac(subscriber), mac(gateway)
        # Of a pseudowire without control word: neither 0, 4 nor 6 in front.
        self.ends = tuple(bytes([first_byte]) + m[1:] for m in self.ends)

    def head(self, up, p):
        sub, gw = self.ends
        return (gw + sub if up else sub + gw) + struct.pack("!H", ETHERTYPES[p.kind])


class Snap(Ethernet):
    """IEEE 802.3 with a length, 802.2 LLC and SNAP; padded as short Ethernet frames are."""

    encap = "llc"

    def wrap(self, up, p):
        llc = b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ETHERTYPES[p.kind])
        head = super().head(up, p)[:12] + struct.pack("!H", len(llc) + p.wire_len) + llc
        out = p.behind(self.kind, head, self.encap)
        pad = bytes(max(0, 60 - out.wire_len))
        return [out._replace(data=out.data + pad, wire_len=out.wire_len + len(pad))]


class Vlan(Layer):
    encap = "vlan"

    def __init__(self, up_id, down_id, kind="vlan"):
        self.ids = down_id, up_id
        self.kind = kind

    def head(self, up, p):
        return struct.pack("!HH", self.ids[up], ETHERTYPES[p.kind])


class Mpls(Layer):
    """RFC 3032: label stacks, outermost first, of each direction."""

    kind = "mpls"
    encap = "mpls"

    def __init__(self, up_labels, down_labels):
        self.labels = down_labels, up_labels

    def head(self, up, p):
        labels = self.labels[up]
        entries = [label << 12 | (i == len(labels) - 1) << 8 | 64 for i, label in enumerate(labels)]
        return struct.pack(f"!{len(entries)}I", *entries)


class Pseudowire(Layer):
    """RFC 4448, the control word in front of the Ethernet header, or nothing."""

    kind = "pseudowire"
    encap = "pseudowire"

    def __init__(self, has_control_word=True):
        self.has_control_word = has_control_word
        self.n = 0

    def head(self, up, p):
        self.n = self.n % 0xFFFF + 1
        return struct.pack("!I", self.n) if self.has_control_word else b""


class Ppp(Layer):
    """RFC 1661; in HDLC-like framing (RFC 1662) with address and control; the protocol compressed or not."""

    kind = "ppp"
    encap = "ppp"

    def __init__(self, has_hdlc=False, is_compressed=False):
        self.has_hdlc = has_hdlc
        self.is_compressed = is_compressed

    def head(self, up, p):
        protocol = struct.pack("!H", PPP_PROTOCOLS[p.kind])
        return (b"\xff\x03" if self.has_hdlc else b"") + (protocol[1:] if self.is_compressed else protocol)


class Pppoe(Layer):
    kind = "pppoe"
    encap = "pppoe"

    def __init__(self, session):
        self.session = session

    def head(self, up, p):
        return struct.pack("!BBHH", 0x11, 0, self.session, p.wire_len)


class Sll(Layer):
    kind = "sll"

    def head(self, up, p):
        return struct.pack("!HHH", 4 if up else 0, 1, 6) + mac(0x2011) + b"\0\0" + struct.pack("!H", ETHERTYPES[p.kind])


class Sll2(Layer):
    kind = "sll2"

    def head(self, up, p):
        return struct.pack("!HHIHBB", ETHERTYPES[p.kind], 0, 3, 1, 4 if up else 0, 6) + mac(0x2011) + b"\0\0"


class Null(Layer):
    """BSD loopback: the address family in the writer's byte order (AF_INET6 is 30 on macOS)."""

    kind = "null"

    def __init__(self, order="<"):
        self.order = order

    def head(self, up, p):
        return struct.pack(self.order + "I", 2 if p.kind == "ip4" else 30)


class Chdlc(Layer):
    kind = "chdlc"

    def head(self, up, p):
        return b"\x0f\0" + struct.pack("!H", ETHERTYPES[p.kind])


class Wlan(Layer):
    """IEEE 802.11 data between a station and its access point, LLC and SNAP behind; 4 addresses between two bridges."""

    kind = "wlan"
    encap = "wlan"
    STATION, AP, GATEWAY, BRIDGE = mac(0x2011), mac(0x80), mac(1), mac(0x81)

    def __init__(self, has_qos=True, has_4_addresses=False):
        self.has_qos = has_qos
        self.has_4_addresses = has_4_addresses
        self.n = 0

    def wrap(self, up, p):
        return [out._replace(encaps=out.encaps | {"llc"}) for out in super().wrap(up, p)]

    def head(self, up, p):
        self.n = (self.n + 1) & 0xFFF
        kind = 0x88 if self.has_qos else 0x08
        sta, ap, gw, bridge = self.STATION, self.AP, self.GATEWAY, self.BRIDGE
        if self.has_4_addresses:
            ways, addresses, last = 3, (ap, bridge, gw) if up else (bridge, ap, sta), sta if up else gw
        else:
            ways, addresses, last = (1, (ap, sta, gw), b"") if up else (2, (sta, ap, gw), b"")
        head = bytes([kind, ways, 44, 0]) + b"".join(addresses) + struct.pack("<H", self.n << 4) + last
        head += b"\0\0" if self.has_qos else b""
        return head + b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ETHERTYPES[p.kind])


class Radiotap(Layer):
    """TSFT, flags and rate; the frame check sequence at the end."""

    kind = "radiotap"

    def head(self, up, p):
        return struct.pack("<BBHIQBB", 0, 0, 18, 0x7, 1_000_000, 0x10, 0x6C)

    def wrap(self, up, p):
        fcs = struct.pack("<I", zlib.crc32(p.data))
        out = p._replace(data=p.data + fcs, wire_len=p.wire_len + len(fcs))
        return super().wrap(up, out)


# ---- IP and what stands on it ---------------------------------------------------------------------------------------


class Ip(Layer):
    """An outer IP header, or the second of two. The subscriber's side first."""

    def __init__(self, near, far):
        self.ends = address(near), address(far)
        self.kind = "ip4" if len(self.ends[0]) == 4 else "ip6"
        self.n = 0

    def head(self, up, p):
        self.encap = IP_IN_IP.get((self.kind, p.kind))
        src, dst = self.ends if up else self.ends[::-1]
        protocol = IP_PROTOCOLS[p.kind]
        if self.kind == "ip6":
            return struct.pack("!IHBB", 0x60000000, p.wire_len, protocol, 64) + src + dst
        self.n += 1
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + p.wire_len, self.n, 0, 64, protocol, 0) + src + dst
        return with_checksum(head, 20)


def with_checksum(ip, header_len):
    ip = ip[:10] + b"\0\0" + ip[12:]
    return ip[:10] + struct.pack("!H", ~pcaplib.ones_sum(ip[:header_len]) & 0xFFFF) + ip[12:]


class Udp(Layer):
    """Without checksum, as tunnel endpoints send it. near: the port of the subscriber's side."""

    kind = "udp"

    def __init__(self, near, far):
        self.ports = near, far

    def head(self, up, p):
        return struct.pack("!HHHH", *(self.ports if up else self.ports[::-1]), 8 + p.wire_len, 0)


class UdpTo(Udp):
    """To the same port both ways, from one that only spreads load (RFC 7348 5, RFC 8926 3.3)."""

    def head(self, up, p):
        spread, port = self.ports
        return struct.pack("!HHHH", spread + up, port, 8 + p.wire_len, 0)


class Gre(Layer):
    """RFC 2784 and 2890."""

    kind = "gre"
    encap = "gre"

    def __init__(self, has_checksum=False, key=None, has_sequence=False):
        self.has_checksum = has_checksum
        self.key = key
        self.has_sequence = has_sequence
        self.n = 0

    def head(self, up, p):
        flags = self.has_checksum << 15 | (self.key is not None) << 13 | self.has_sequence << 12
        head = struct.pack("!HH", flags, ETHERTYPES[p.kind]) + (bytes(4) if self.has_checksum else b"")
        head += struct.pack("!I", self.key) if self.key is not None else b""
        if self.has_sequence:
            head += struct.pack("!I", self.n)
            self.n += 1
        if self.has_checksum:
            head = head[:4] + struct.pack("!H", ~pcaplib.ones_sum(head + p.data) & 0xFFFF) + head[6:]
        return head


class Pptp(Layer):
    """GRE version 1, RFC 2637; every second packet acknowledges as well."""

    kind = "gre"
    encap = "gre"

    def __init__(self, up_call, down_call):
        self.calls = down_call, up_call
        self.n = 0

    def head(self, up, p):
        self.n += 1
        has_ack = self.n % 2 == 0
        head = struct.pack("!HHHHI", 0x3001 | has_ack << 7, 0x880B, p.wire_len, self.calls[up], self.n)
        return head + (struct.pack("!I", self.n - 1) if has_ack else b"")


class Erspan(Layer):
    """The mirror session's header behind GRE; type I has none."""

    encap = "erspan"

    def __init__(self, version, vlan=0, session=7, has_subheader=False):
        self.version = version
        self.kind = "erspan3" if version == 3 else "erspan"
        self.vlan = vlan
        self.session = session
        self.has_subheader = has_subheader

    def head(self, up, p):
        if self.version == 1:
            return b""
        first = struct.pack("!HH", (self.version - 1) << 12 | self.vlan, self.session)
        if self.version == 2:
            return first + struct.pack("!I", 0x3)
        head = first + struct.pack("!IHH", 123456, 0, self.has_subheader)
        return head + (struct.pack("!II", 0x5 << 26, 0) if self.has_subheader else b"")


class Vxlan(Layer):
    kind = "vxlan"
    encap = "vxlan"

    def __init__(self, up_vni, down_vni):
        self.vnis = down_vni, up_vni

    def head(self, up, p):
        return struct.pack("!II", 0x08000000, self.vnis[up] << 8)


class Geneve(Layer):
    kind = "geneve"
    encap = "geneve"

    def __init__(self, up_vni, down_vni, options=b""):
        self.vnis = down_vni, up_vni
        self.options = options

    def head(self, up, p):
        first = struct.pack("!BBHI", len(self.options) // 4, 0, ETHERTYPES[p.kind], self.vnis[up] << 8)
        return first + self.options


class GtpU(Layer):
    """3GPP TS 29.281 5.1; extension headers are (type, content), content 4 n - 2 bytes."""

    kind = "gtpu"
    encap = "gtpu"

    def __init__(self, up_teid, down_teid, has_sequence=False, up_ext=(), down_ext=()):
        self.teids = down_teid, up_teid
        self.has_sequence = has_sequence
        self.ext = down_ext, up_ext
        self.n = 0

    def head(self, up, p):
        ext = self.ext[up]
        optional = b""
        if ext or self.has_sequence:
            self.n += 1
            optional = struct.pack("!HBB", self.n if self.has_sequence else 0, 0, ext[0][0] if ext else 0)
        for i, (_, content) in enumerate(ext):
            next_type = ext[i + 1][0] if i + 1 < len(ext) else 0
            optional += bytes([(len(content) + 2) // 4]) + content + bytes([next_type])
        flags = 0x30 | bool(ext) << 2 | self.has_sequence << 1
        return struct.pack("!BBHI", flags, 255, len(optional) + p.wire_len, self.teids[up]) + optional


class Teredo(Layer):
    """RFC 4380 5.1.1: nothing, or authentication and origin indication in front of the IPv6 packet."""

    kind = "teredo"
    encap = "teredo"

    def __init__(self, has_authentication=False, has_origin=False):
        self.has_authentication = has_authentication
        self.has_origin = has_origin

    def head(self, up, p):
        head = b"\0\1\0\0" + bytes(range(8)) + b"\0" if self.has_authentication else b""
        if self.has_origin and not up:
            head += struct.pack("!HH", 0, 40000 ^ 0xFFFF) + bytes(b ^ 0xFF for b in address("198.51.100.7"))
        return head


class L2tp(Layer):
    """RFC 2661 3.1, data messages."""

    kind = "l2tp"
    encap = "l2tp"

    def __init__(self, up_ids, down_ids, has_length=False, has_sequence=False, pad=None):
        self.ids = down_ids, up_ids
        self.has_length = has_length
        self.has_sequence = has_sequence
        self.pad = pad
        self.n = 0

    def head(self, up, p):
        rest = struct.pack("!HH", *self.ids[up])
        if self.has_sequence:
            rest += struct.pack("!HH", self.n, 0)
            self.n += 1
        if self.pad is not None:
            rest += struct.pack("!H", self.pad) + bytes(self.pad)
        flags = self.has_length << 14 | self.has_sequence << 11 | (self.pad is not None) << 9 | 2
        length = struct.pack("!H", 4 + len(rest) + p.wire_len) if self.has_length else b""
        return struct.pack("!H", flags) + length + rest


# ---- changes to an IP packet ------------------------------------------------------------------------------------------


class ExtensionHeaders:
    """IPv6 extension headers (RFC 8200 4) between the header and the rest: (protocol, content behind Next Header)."""

    def __init__(self, *headers):
        self.headers = headers

    def wrap(self, _, p):
        ip = p.data
        chain = [number for number, _ in self.headers] + [ip[6]]
        ext = b"".join(bytes([chain[i + 1]]) + content for i, (_, content) in enumerate(self.headers))
        length = struct.unpack_from("!H", ip, 4)[0] + len(ext)
        data = ip[:4] + struct.pack("!HB", length, chain[0]) + ip[7:40] + ext + ip[40:]
        return [p._replace(data=data, wire_len=p.wire_len + len(ext))]


class Options:
    """IPv4 options (RFC 791 3.1), a multiple of four bytes."""

    def __init__(self, options):
        self.options = options

    def wrap(self, _, p):
        ip, more = p.data, len(self.options)
        length = struct.unpack_from("!H", ip, 2)[0] + more
        head = bytes([0x45 + more // 4]) + ip[1:2] + struct.pack("!H", length) + ip[4:20] + self.options
        return [p._replace(data=with_checksum(head, 20 + more) + ip[20:], wire_len=p.wire_len + more)]


class Hop:
    """What one more router leaves: Time to Live one lower."""

    def wrap(self, _, p):
        off = 8 if p.kind == "ip4" else 7
        data = p.data[:off] + bytes([p.data[off] - 1]) + p.data[off + 1 :]
        return [p._replace(data=with_checksum(data, 20) if p.kind == "ip4" else data)]


class NoLength:
    """Segmentation offload that left the length to the card: zero."""

    def wrap(self, _, p):
        off = 2 if p.kind == "ip4" else 4
        data = p.data[:off] + b"\0\0" + p.data[off + 2 :]
        return [p._replace(data=with_checksum(data, 20) if p.kind == "ip4" else data)]


class Segments:
    """TCP segments as the card would cut them out of a super-frame: at most `mtu` bytes each. Whole packets only."""

    def __init__(self, mtu):
        self.mtu = mtu

    def wrap(self, _, p):
        ip = p.data
        l4 = 20 if p.kind == "ip4" else 40
        if p.wire_len <= self.mtu or ip[9 if p.kind == "ip4" else 6] != pcaplib.TCP:
            return [p]
        if len(ip) != p.wire_len:
            raise ValueError("a frame that was cut cannot be cut into segments")
        head_len = l4 + (ip[l4 + 12] >> 4) * 4
        seq = struct.unpack_from("!I", ip, l4 + 4)[0]
        size = self.mtu - head_len
        out = []
        for off in range(head_len, len(ip), size):
            piece = bytearray(ip[:head_len] + ip[off : off + size])
            struct.pack_into("!I", piece, l4 + 4, seq + off - head_len & 0xFFFFFFFF)
            if off + size < len(ip):
                piece[l4 + 13] &= ~0x09  # FIN and PSH belong to the last
            out.append(p._replace(data=self._right(piece, p.kind, l4), wire_len=len(piece)))
        return out

    @staticmethod
    def _right(piece, kind, l4):
        src, dst = (piece[12:16], piece[16:20]) if kind == "ip4" else (piece[8:24], piece[24:40])
        struct.pack_into("!H", piece, 2 if kind == "ip4" else 4, len(piece) - (0 if kind == "ip4" else 40))
        piece[l4 + 16 : l4 + 18] = b"\0\0"
        s = pcaplib.pseudo_sum(bytes(src), bytes(dst), pcaplib.TCP, len(piece) - l4)
        struct.pack_into("!H", piece, l4 + 16, ~pcaplib.ones_sum(piece[l4:], s) & 0xFFFF)
        return with_checksum(bytes(piece), 20) if kind == "ip4" else bytes(piece)


class Fragments:
    """RFC 791 3.2 and RFC 8200 4.5: packets of more than `size` bytes of payload in pieces of so many.

    arrange(pieces) gives the order in which they pass: some twice, some never, some changed (see overlap()). What the
    datagram counts for counts with the piece that makes it whole, again where all come again; unless each piece counts
    for itself (`inner` of a Stack sets that anew)."""

    def __init__(self, size, arrange=list):
        self.size = size
        self.arrange = arrange
        self.n = 0x1000

    def wrap(self, _, p):
        header_len = 20 if p.kind == "ip4" else 40
        payload = p.data[header_len:]
        if len(payload) <= self.size:
            return [p]
        self.n += 1
        cuts = range(0, len(payload), self.size)
        pieces = [self.piece(p, off, payload[off : off + self.size], off + self.size < len(payload)) for off in cuts]
        out, seen = [], set()
        for piece in self.arrange(pieces):
            seen.add(piece.offset)
            if len(seen) == len(pieces):
                seen.clear()
            else:
                piece = piece._replace(n_packets=0, ip_bytes=0)
            out.append(piece)
        return out

    def piece(self, p, off, payload, has_more):
        ip = p.data
        if p.kind == "ip4":
            frag = has_more << 13 | off // 8
            data = ip[:2] + struct.pack("!HHH", 20 + len(payload), self.n, frag) + ip[8:20] + payload
            data = with_checksum(data, 20)
        else:
            head = bytes([ip[6], 0]) + struct.pack("!HI", off | has_more, self.n)
            data = ip[:4] + struct.pack("!HB", 8 + len(payload), 44) + ip[7:40] + head + payload
        return p._replace(data=data, wire_len=len(data), offset=off)


def overlap(piece):
    """A piece that begins eight bytes early, with other bytes there."""
    ip = piece.data
    if piece.kind == "ip4":
        length, ident, frag = struct.unpack_from("!HHH", ip, 2)
        data = ip[:2] + struct.pack("!HHH", length + 8, ident, frag - 1) + ip[8:20] + b"overlap!" + ip[20:]
        data = with_checksum(data, 20)
    else:
        length, frag = struct.unpack_from("!H", ip, 4)[0], struct.unpack_from("!H", ip, 42)[0]
        data = ip[:4] + struct.pack("!H", length + 8) + ip[6:42] + struct.pack("!H", frag - 8) + ip[44:48]
        data += b"overlap!" + ip[48:]
    return piece._replace(data=data, wire_len=len(data))
