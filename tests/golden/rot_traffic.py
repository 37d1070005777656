# SPDX-License-Identifier: BSD-3-Clause
"""Weeks of a small operator's traffic as a capture: what the rot alarm is tried on.

Some forty apps of several kinds, each with a page and a delivery network of its own name, at server networks of its own or at
one that many share; sixty endpoints; a few services that no catalogue has. Each flow is a TLS ClientHello with its server name and
some server packets, of which the capture has the headers alone: their IP lengths say how long they were. How much there is of an
app follows the hour, the weekday and chance. Names are reserved (RFC 2606), servers' addresses too (RFC 5737, 2544, 3849).

Everything is drawn from one seed: the same arguments make the same capture.
"""

import ipaddress
import math
import random
import struct
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "truth"))

import frames

HOUR, DAY = 3600, 86400
MONDAY = 1772409600  # 2026-03-02T00:00:00Z
N_ENDPOINTS = 60
SERVER_PACKET = 60000  # bytes, IP header included: what segmentation in a NIC leaves of a burst

# Share of the day's traffic by hour, and how much a Saturday or Sunday has of a weekday.
KINDS = {
    "evening": ([1, 1, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5, 7, 9, 10, 9, 6, 3], 1.4),
    "office": ([0, 0, 0, 0, 0, 0, 1, 3, 8, 10, 10, 9, 7, 9, 10, 9, 7, 4, 2, 1, 1, 1, 0, 0], 0.08),
    "all-day": ([2, 1, 1, 1, 1, 1, 2, 4, 5, 5, 5, 5, 6, 5, 5, 5, 5, 6, 6, 6, 6, 6, 5, 4], 1.1),
    "night": ([6, 8, 9, 9, 8, 6, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5], 1.0),
}
SHARED = ["203.0.113", "198.51.100", "2001:db8:77"]  # a /24 or /48 of a delivery network for many


class App:
    """What is asked for by name at some networks. `per_day` flows on a weekday."""

    def __init__(self, name, kind, per_day, networks, hosts, size=4):
        self.name, self.kind, self.per_day, self.networks, self.size = name, kind, per_day, networks, size
        self.hosts = hosts  # (host, how often)


def own_network(number):
    return f"198.18.{number}"


def apps():
    """In the catalogue, each by its domain."""
    kinds = list(KINDS)
    made = []
    for n in range(42):
        name = f"app{n:02}"
        networks = [SHARED[n % 3]] if n % 3 == 0 else [own_network(n), own_network(100 + n)]
        if n % 6 == 1:
            networks = [own_network(n), SHARED[1]]
        hosts = [(f"www.{name}.example", 1), (f"media.{name}-cdn.example", 9)]
        made.append(App(name, kinds[n % len(kinds)], 36 + 5 * (n % 5), networks, hosts))
    return made


def strangers():
    """What no catalogue has, at networks that apps use."""
    return [
        App("", "evening", 30, [SHARED[0]], [("video.stranger-one.example", 1)]),
        App("", "office", 30, [SHARED[1]], [("files.stranger-two.example", 1)]),
        App("", "all-day", 20, [own_network(7)], [("api.stranger-three.example", 1)]),
        App("", "night", 20, [SHARED[2]], [("backup.stranger-four.example", 1)]),
    ]


def catalogue(among):
    lines = ["apps:"]
    for app in among:
        domains = sorted({host.split(".", 1)[1] for host, _ in app.hosts})
        lines += [f"  - name: {app.name}", "    category: streaming", f"    hosts: [{', '.join(domains)}]"]
    return "\n".join(lines) + "\n"


def intensity(app, day, hour):
    shape, weekend = KINDS[app.kind]
    return app.per_day * shape[hour] / sum(shape) * (weekend if day % 7 >= 5 else 1)


def poisson(rng, mean):
    n, p, limit = 0, 1.0, math.exp(-mean)
    while True:
        p *= rng.random()
        if p <= limit:
            return n
        n += 1


def server_of(rng, network):
    last = rng.randrange(1, 30)
    return f"{network}::{last:x}" if ":" in network else f"{network}.{last}"


def addresses(rng, network):
    endpoint = rng.randrange(1, N_ENDPOINTS + 1)
    server = server_of(rng, network)
    return (f"fd00:0:0:{endpoint:x}::7" if ":" in server else f"10.0.0.{endpoint}"), server


def tcp(sport, dport, seq, ack, flags):
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0)


def ip(src, dst, payload, length):
    """A TCP packet whose IP datagram has `length` bytes (None: what it has)."""
    if ":" in src:
        n = len(payload) if length is None else length - 40
        head = struct.pack(">IHBB", 0x60000000, n, 6, 64)
        return frames.ethernet(0x86DD, head + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + payload), n + 40
    n = 20 + len(payload) if length is None else length
    head = struct.pack(">BBHHHBBH", 0x45, 0, n, 7, 0, 64, 6, 0)
    return frames.ethernet(0x0800, head + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + payload), n


def flow(rng, begin, app, network, host):
    """(time, frame, length on the wire) of each of its packets."""
    endpoint, server = addresses(rng, network)
    sport = rng.randrange(20000, 60000)
    hello = frames.client_hello(host)
    yield begin, *ip(endpoint, server, tcp(sport, 443, 1, 1, 0x18) + hello, None)
    seq = 1
    for n in range(1 + min(poisson(rng, app.size - 1), 4 * app.size)):
        yield begin + 0.05 * (n + 1), *ip(server, endpoint, tcp(443, sport, seq, 1 + len(hello), 0x10), SERVER_PACKET)
        seq += SERVER_PACKET - 40


def packets(rng, app, day, hour, host_of, much):
    begin = MONDAY + day * DAY + hour * HOUR
    for _ in range(poisson(rng, intensity(app, day, hour) * much)):
        at = begin + rng.random() * (HOUR - 30)
        host = rng.choices([h for h, _ in app.hosts], [w for _, w in app.hosts])[0]
        yield from flow(rng, at, app, rng.choice(app.networks), host_of(app, host, at))


def write(path, n_days, first_day=0, seed=1, host_of=lambda app, host, at: host, much=lambda app, day, hour: 1, more=()):
    """A capture of n_days from first_day on. host_of(app, host, time): the name that is asked for instead; much(app, day, hour): how much of the usual
    there is; more: services beyond the usual ones."""
    rng = random.Random(seed)
    everything = [*apps(), *strangers(), *more]
    with open(path, "wb") as f:
        f.write(frames.pcap_header())
        for day in range(first_day, first_day + n_days):
            for hour in range(24):
                records = []
                for app in everything:
                    share = much(app, day, hour)
                    if share > 0:
                        records += packets(rng, app, day, hour, host_of, share)
                records.sort(key=lambda r: r[0])
                for at, frame, length in records:
                    sec = int(at)
                    f.write(frames.pcap_record(frame, sec=sec, usec=int((at - sec) * 1e6), wire_len=14 + length))
