#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A capture of a subscriber who is a canary: flows that stay unknown, and beside them what no sample may keep.

    samples_traffic.py CAPTURE [PORT]       PORT: 120 unknown flows of the ports from there on, and nothing else

Kept are those to 203.0.113.10 to .14 and 2001:db8:9::15, a /64 and an address in all.
"""
import ipaddress
import pathlib
import random
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tests/truth'))
import frames  # noqa: E402

CANARIES = dict(line.split() for line in (TOP / 'tests/lib/canaries').read_text().splitlines() if line[:1] not in ('#', ''))
SYN, SYN_ACK, PUSH = 0x02, 0x12, 0x18
# More than the classifier waits for: it says its last word.
TCP_PACKETS, UDP_PACKETS = 84, 28
noise = random.Random(7)


def opaque(n):
    return bytes(noise.randrange(128, 256) for _ in range(n))


class Flow:
    def __init__(self, server, sport, dport):
        self.server, self.sport, self.dport = server, sport, dport
        self.own = CANARIES['ipv6' if ':' in server else 'ipv4']

    def frame(self, proto, l4, is_up):
        ends = {'src': self.own, 'dst': self.server} if is_up else {'src': self.server, 'dst': self.own}
        if ':' in self.server:
            return frames.ethernet(0x86DD, frames.ipv6(proto, l4, **ends))
        return frames.ethernet(0x0800, frames.ipv4(proto, l4, **ends))

    def udp(self, payload, is_up=True):
        ports = (self.sport, self.dport) if is_up else (self.dport, self.sport)
        return self.frame(17, frames.udp(*ports, payload), is_up)

    def tcp(self, flags, payload=b'', is_up=True, seq=1):
        ports = (self.sport, self.dport) if is_up else (self.dport, self.sport)
        return self.frame(6, frames.tcp(*ports, flags, payload, seq), is_up)

    def datagrams(self, payload):
        return [self.udp(payload + opaque(60), i % 3 != 2) for i in range(UDP_PACKETS)]

    def connection(self, first, then=None):
        """Handshake, what the client says first, and then either side in turns."""
        sent = [self.tcp(SYN, seq=100), self.tcp(SYN_ACK, is_up=False, seq=500), self.tcp(PUSH, first, seq=101)]
        up, down = 101 + len(first), 501
        while len(sent) < TCP_PACKETS:
            payload = then or b'\x17\x03\x03\0\x40' + opaque(64)
            is_up = len(sent) % 3 == 0
            sent.append(self.tcp(PUSH, payload, is_up, up if is_up else down))
            up, down = up + is_up * len(payload), down + (not is_up) * len(payload)
        return sent


def secret():
    return f"{CANARIES['msisdn']} {CANARIES['imsi']} {CANARIES['account']}".encode()


def unknown():
    own4 = ipaddress.IPv4Address(CANARIES['ipv4']).packed
    own6 = ipaddress.IPv6Address(CANARIES['ipv6']).packed
    for n in range(4):
        yield Flow('203.0.113.10', 41000 + n, 443).connection(frames.client_hello('api.unknown.example'))
    yield Flow('203.0.113.11', 41011, 4433).datagrams(
        opaque(9) + own4 + opaque(5) + own4[::-1] + opaque(3) + CANARIES['ipv4'].encode() + opaque(30))
    request = (f"GET /{CANARIES['msisdn']}?who={CANARIES['imsi']} HTTP/1.1\r\nX-MSISDN: {CANARIES['msisdn']}\r\n"
               f"Host: portal.unknown.example\r\nCookie: {CANARIES['account']}\r\n\r\n").encode()
    yield Flow('203.0.113.12', 41012, 80).connection(request, secret())
    yield Flow('203.0.113.13', 41013, 7777).connection(b'USER ' + secret() + b'\r\n', secret())
    yield Flow('203.0.113.14', 41014, 9999).datagrams(opaque(40) + b'{"who": "' + secret() + b'"}')
    yield Flow('2001:db8:9::15', 41015, 4433).datagrams(opaque(9) + own6 + opaque(20))


def others():
    yield Flow('203.0.113.20', 42020, 53).datagrams(frames.dns_query('secret-lookup.example'))
    yield Flow('203.0.113.21', 42021, 5353).datagrams(secret())
    yield Flow('203.0.113.22', 42022, 1813).datagrams(secret())
    yield Flow('203.0.113.23', 42023, 2123).datagrams(secret())
    yield Flow('203.0.113.24', 42024, 25).connection(secret())
    for n, known in enumerate(('www.film.example', 'www.casino.example')):  # to the catalogue; one is sensitive
        yield Flow('203.0.113.25', 42025 + n, 443).connection(frames.client_hello(known))


def busy(port):
    for n in range(120):
        yield Flow('203.0.113.11', port + n, 4433).datagrams(opaque(400))


def main():
    flows = list(busy(int(sys.argv[2]))) if len(sys.argv) > 2 else [*unknown(), *others()]
    sent = [frame for turn in range(max(map(len, flows))) for flow in flows for frame in flow[turn:turn + 1]]
    pathlib.Path(sys.argv[1]).write_bytes(frames.pcap(sent))


if __name__ == '__main__':
    main()
