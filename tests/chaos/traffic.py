# SPDX-License-Identifier: BSD-3-Clause
"""Captures and configurations for the chaos scenarios: made-up people with real handshakes.

The first frames of a flow come from pcaps/recorded, so that nDPI and the catalogue recognise it; what follows are bare
headers that say 1500 bytes. The same seed gives the same bytes."""
import os
import random
import struct
import sys

TOP = os.environ.get("WIRECUE_TOP") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "pcaps"))

import pcaplib

SEC = 10**9
BEGIN_NS = 1772740800 * SEC  # 2026-03-05T20:00:00Z
HEAD = 14  # frames of a recording that make a flow recognisable
BULK_BYTES = 1500


class Template:
    """The beginning of a recorded flow over IPv4, ready to be given other addresses."""

    def __init__(self, name):
        frames = []
        client = port = None
        for frame in pcaplib.read(os.path.join(TOP, "pcaps", "recorded", name + ".pcap")):
            packet = pcaplib.parse_ip(frame.data, 14)
            if packet is None or packet.version != 4:
                continue
            if client is None:
                client, port, server = packet.src, packet.sport, packet.dst
                self.dport, self.l4_proto = packet.dport, packet.l4_proto
            if {(packet.src, packet.sport), (packet.dst, packet.dport)} != {(client, port), (server, self.dport)}:
                continue
            frames.append((frame.ns, packet.src == client, frame.data, frame.wire_len))
        self.server = server
        self.frames = [(ns - frames[0][0], up, data, n) for ns, up, data, n in frames[:HEAD]]

    def flow(self, out, ns, client, port):
        """The handshake; returns when it is over."""
        for offset, up, data, wire_len in self.frames:
            out.append((ns + offset, self.addressed(data, up, client, port), wire_len))
        return ns + self.frames[-1][0]

    def addressed(self, data, up, client, port):
        frame = bytearray(data)
        l4_off = 14 + (frame[14] & 15) * 4
        address_off, port_off = (26, l4_off) if up else (30, l4_off + 2)
        frame[address_off:address_off + 4] = client
        frame[port_off:port_off + 2] = struct.pack("!H", port)
        frame[24:26] = b"\0\0"
        frame[24:26] = struct.pack("!H", ~pcaplib.ones_sum(frame[14:l4_off]) & 0xFFFF)
        return bytes(frame)

    def bulk(self, client, port):
        """A frame down of BULK_BYTES of which only the headers were captured, and its length on the wire."""
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, BULK_BYTES, 0, 0x4000, 60, self.l4_proto, 0, self.server, client)
        ip = ip[:10] + struct.pack("!H", ~pcaplib.ones_sum(ip) & 0xFFFF) + ip[12:]
        if self.l4_proto == pcaplib.TCP:
            l4 = struct.pack("!HHIIBBHHH", self.dport, port, 1, 1, 0x50, 0x10, 1024, 0, 0)
        else:
            l4 = struct.pack("!HHHH", self.dport, port, BULK_BYTES - 20, 0)
        ethernet = bytes.fromhex("020000000101 020000000001 0800")
        return ethernet + ip + l4, 14 + BULK_BYTES


def address(i):
    return bytes((10, 20, 1 + i // 250, 1 + i % 250))


def write_pcap(path, frames):
    frames.sort(key=lambda f: f[0])
    with open(path + ".part", "wb", buffering=1 << 20) as out:
        pcaplib.write_header(out, nanoseconds=True)
        for ns, data, wire_len in frames:
            pcaplib.write_frame(out, ns, data, wire_len, nanoseconds=True)
    os.replace(path + ".part", path)


def write_people(path, n_people, cap):
    """cap of person i: cap(i), in bytes."""
    with open(path, "w", encoding="utf-8") as out:
        out.write("static: true\nsource: chaos\nplans:\n  - {id: s, cap: 1MB}\n  - {id: l, cap: unlimited}\nsubscribers:\n")
        for i in range(n_people):
            out.write(
                f'  - msisdn: "+99910{i:06d}"\n    account: chaos-{i}\n'
                f"    addresses: [{'.'.join(map(str, address(i)))}]\n    zone: Europe/Berlin\n"
                "    line: {kind: consumer, minor: false, regulated: false}\n"
                "    plan: {id: s, since: 2025-06-01T00:00:00Z, buckets: [{id: data, "
                f"cap: {cap(i)}B, anchor_day: 1, zone: Europe/Berlin, scope: all}}]}}\n"
                "    consent: [{purpose: marketing, status: granted}, {purpose: retention, status: granted}]\n")


def write_config(path, people, rules, extra=""):
    with open(path, "w", encoding="utf-8") as out:
        out.write(
            "node: chaos\nzone: Europe/Berlin\nendpoints: {networks: [10.20.0.0/16]}\n"
            f"binding: {{sources: [static: {people}]}}\ntold: {{files: [{people}]}}\n"
            f"privacy: {{subject: plain}}\nworkers: {{flows: 64k}}\n{extra}rules:\n")
        out.writelines(f"  - {{{rule}}}\n" for rule in rules)


def evening(folder, n_people=1200, minutes=20, seed=1):
    """People who watch, listen, read a rival's pages and use up their plans: thousands of triggers of all kinds."""
    chance = random.Random(seed)
    templates = [Template(name) for name in ("tls-nflxvideo", "tls-music", "quic-video")]
    rival = Template("tls-rival")
    frames = []
    for i in range(n_people):
        client, port = address(i), 20000
        at = BEGIN_NS + chance.randrange(minutes * 60 * SEC // 2)
        for template in chance.sample(templates, 2):
            port += 1
            end = template.flow(frames, at, client, port) + chance.randrange(40, 200) * SEC
            data, wire_len = template.bulk(client, port)
            while at < end:
                at += chance.randrange(2 * SEC, 6 * SEC)
                frames.append((at, data, wire_len))
            at += chance.randrange(10, 60) * SEC
        if i % 4 == 0:
            for _ in range(3):
                port += 1
                at = rival.flow(frames, at + SEC, client, port)
    write_pcap(f"{folder}/evening.pcap", frames)
    write_people(f"{folder}/people.yaml", n_people, lambda i: 60000 + i * 100)
    write_config(
        f"{folder}/chaos.yaml", f"{folder}/people.yaml",
        ["id: film, detect: app_session, class: upsell, purpose: marketing, cooldown: 1s, gap: 15s, start_after: 5s, "
         "min_duration: 30s, min_rate: 0bit, min_bytes: 10kB",
         "id: rival, detect: competitor, class: retention, purpose: retention, cooldown: 1s, min_days: 1",
         "id: cap, detect: near_cap, class: service, emit: [threshold], steps: [25%, 50%, 75%, 100%]"])
    return f"{folder}/evening.pcap", f"{folder}/chaos.yaml"


def flood(folder, n_triggers, seed=1):
    """A small capture and many rules that each say every percent of a cap: n_triggers in all, a multiple of 10000."""
    n_people, n_rules = 100, n_triggers // 10000
    chance = random.Random(seed)
    template = Template("tls-nflxvideo")
    frames = []
    for i in range(n_people):
        client = address(i)
        at = template.flow(frames, BEGIN_NS + chance.randrange(10 * SEC), client, 20000)
        data, wire_len = template.bulk(client, 20000)
        for _ in range(220):
            at += chance.randrange(SEC // 2, SEC)
            frames.append((at, data, wire_len))
    write_pcap(f"{folder}/flood.pcap", frames)
    write_people(f"{folder}/people.yaml", n_people, lambda i: 300000)
    steps = ", ".join(f"{i}%" for i in range(1, 101))
    write_config(
        f"{folder}/chaos.yaml", f"{folder}/people.yaml",
        [f"id: cap{i}, detect: near_cap, class: service, emit: [threshold], steps: [{steps}]" for i in range(n_rules)],
        extra="redis: {queue: 4M}\n")
    return f"{folder}/flood.pcap", f"{folder}/chaos.yaml"
