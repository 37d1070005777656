# SPDX-License-Identifier: BSD-3-Clause
"""Whole programs over a capture file: wirecue replay beside nDPI's own reader, from start to end, user and system time."""
import collections
import csv
import json
import os
import subprocess

import benchlib
import lines

QUIC = 'pcaps/quic.pcap'


def cpu_seconds(command):
    """User and system time of all of its threads. A program that refuses a capture is fast: that is a failure."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise benchlib.Failure(f'{" ".join(command)} ended with {process.returncode}')
    return usage.ru_utime + usage.ru_stime


def replay(ctx, path):
    return [ctx.program('control/wirecue'), 'replay', '--no-redis', path]


def reader(path):
    return ['ndpiReader', '-q', '-e', '0', '-i', path]


def in_turns(ctx, name, path, n_frames, target, note):
    pairs = []
    for command in (replay(ctx, path), reader(path)):
        cpu_seconds(command)  # the capture is in the page cache, and so are the programs
    for i in range(ctx.n_pairs):
        pair = {}
        for which in ((0, 1), (1, 0))[i % 2]:
            pair[which] = 1e9 / n_frames * cpu_seconds((replay(ctx, path), reader(path))[which])
        pairs.append((pair[0], pair[1]))
    ctx.add(benchlib.Row(name, [a for a, _ in pairs], [b for _, b in pairs], 'ndpiReader -e 0', target=target, note=note))


def key(l4, a, a_port, b, b_port):
    return l4, *sorted(((a, int(a_port)), (b, int(b_port))))


def our_protocols(ctx, path):
    flows = f'{ctx.folder}/flows'
    subprocess.run([*replay(ctx, path)[:-1], '--flows', flows, path], stdout=subprocess.DEVNULL, check=True)
    with open(flows, encoding='utf-8') as text:
        for flow in map(json.loads, text):
            yield key(flow['l4'], flow['src'], flow['sport'], flow['dst'], flow['dport']), flow['proto']


def reader_protocols(ctx, path):
    table = f'{ctx.folder}/flows.csv'
    subprocess.run([*reader(path), '-C', table], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    with open(table, encoding='utf-8') as text:
        for flow in csv.DictReader(text):
            l4 = {'6': 'tcp', '17': 'udp'}.get(flow['protocol'], flow['protocol'])
            yield (key(l4, flow['src_ip'], flow['src_port'], flow['dst_ip'], flow['dst_port']), flow['ndpi_proto'])


def compare_protocols(ctx, *options):
    """Do both say the same of each flow? IPv4, as the reader writes IPv6 addresses nobody else can read."""
    with ctx.capture('protocols', '--ipv6', 0, *options) as path:
        ours, theirs = dict(our_protocols(ctx, path)), dict(reader_protocols(ctx, path))
    if not ours or ours.keys() != theirs.keys():
        raise benchlib.Failure(f'of {len(ours)} and {len(theirs)} flows {len(ours.keys() & theirs.keys())} are the same')
    odd = collections.Counter((ours[flow], theirs[flow]) for flow in ours if ours[flow] != theirs[flow])
    words = ', '.join(f'{n} {a} here and {b} there' for (a, b), n in odd.most_common(3))
    return f'protocol the same for {len(ours) - odd.total()} of {len(ours)} flows{": " if words else ""}{words}'


def run(ctx):
    fresh = ('--subscribers', 2000, '--flows', 4, '--flow-packets', 20, '--quic', ctx.top / QUIC)
    n = 1000000 if ctx.is_quick else 4500000
    known = ('--flow-packets', 0, '--subscribers', 65536 // lines.FLOWS_EACH, '--flows', lines.FLOWS_EACH, '--rate', '1M')
    with ctx.capture('replay-known', *known, '--frames', n) as path:
        in_turns(ctx, 'replay-known', path, n, 10, f'{n / 65536:.0f} packets a flow')
    same = compare_protocols(ctx, *fresh, '--frames', 200000)
    n = 300000 if ctx.is_quick else 1500000
    with ctx.capture('replay-fresh', *fresh, '--frames', n) as path:
        in_turns(ctx, 'replay-fresh', path, n, 4, same)
