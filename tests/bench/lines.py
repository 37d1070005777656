# SPDX-License-Identifier: BSD-3-Clause
"""Whole workers on ports: net_pcap with infinite_rx, which keeps the capture in mbufs and hands it out again and again."""
import collections
import json
import subprocess
import time

import benchlib

ROOM = 256  # bytes of a frame that one mbuf holds, here and in testpmd
POLLING_CPU, CONTROL_CPU = 0, 1
SPARE_MBUFS = 16384
FLOWS_EACH = 16  # of a subscriber at a time: a telephone with some apps awake


def looped(path):
    return f'net_pcap0,rx_pcap={path},infinite_rx=1'


def begun(n_flows, n_frames):
    """Flows that began before the capture: IMIX, both directions, cut as a snapshot of 96 bytes."""
    return ('--begun', '--flow-packets', 0, '--subscribers', n_flows // FLOWS_EACH, '--flows', FLOWS_EACH, '--frames', n_frames,
            '--snaplen', 96)


def open_line(ctx, path, n_frames, *args):
    return benchlib.Line(ctx, '--cpus', f'{CONTROL_CPU},{POLLING_CPU}', '--kept', n_frames, '--room', ROOM, *args, looped(path))


def known_flows(ctx, name, n_flows, n_frames, target, *options):
    with ctx.capture(name, *begun(n_flows, n_frames), *options) as path:
        line = open_line(ctx, path, n_frames)
        pmd = benchlib.Testpmd(ctx, looped(path), n_frames + SPARE_MBUFS, ROOM, (CONTROL_CPU, POLLING_CPU))
        try:
            pmd.pause()
            n_known = line.warm_up(n_frames)['flows']
            pairs = benchlib.in_turns(line, pmd, ctx.n_pairs, ctx.seconds(1.5))
        finally:
            line.close()
            pmd.close()
    note = f'{n_known} flows'
    if line.n_lost > 1e-5 * line.n_measured:
        note += f', {line.n_lost / line.n_measured:.2%} of the frames not accounted but {line.lost_as}'
    ctx.add(benchlib.Row(name, [a for a, _ in pairs], [b for _, b in pairs], 'testpmd rxonly', target=target, note=note))


def known(ctx):
    """Twice: as traffic is, without a segment that was seen before; and with TCP data, all of which a capture in a loop
    repeats, so that each segment is a retransmission and counted as one."""
    for suffix, options in (('', ('--acks',)), ('-repeated', ())):
        known_flows(ctx, f'known-64k{suffix}', 65536, 131072, 0.60, *options)
        known_flows(ctx, f'known-1M{suffix}', 1048576, 1048576, 0.45, *options)


def spread(histogram):
    """Percentiles of microseconds → how often."""
    buckets = sorted((int(us), n) for us, n in histogram.items())
    total, at, words = sum(n for _, n in buckets), 0, []
    for p in (0.5, 0.99, 0.9999, 0.999999):
        seen = 0
        for at, n in buckets:
            seen += n
            if seen >= p * total:
                break
        words.append(f'p{100 * p:g} {at + 1}')
    return ' '.join(words)


def merged(seen):
    """Of several times: one histogram, the longest, and sums of what was put aside."""
    us = collections.Counter()
    for one in seen:
        us.update({int(at): n for at, n in one['us'].items()})
    return {'us': us, 'longest_ns': max(one['longest_ns'] for one in seen),
            'switched': sum(one['switched'] for one in seen), 'stolen': sum(one['stolen'] for one in seen)}


def above(seen, limit_us, seconds):
    return sum(n for us, n in seen['us'].items() if us >= limit_us) / seconds


def still(ctx, seconds):
    words = [ctx.program('tests/bench/still'), str(POLLING_CPU), str(seconds)]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def gaps(ctx):
    """The longest time away from the port at 1 M flows, ticks and ageing included; in turns with a thread that does nothing,
    as the kernel's interrupts and the hypervisor keep that from it too."""
    n_flows, limit_us, n_turns, seconds = 1048576, 50, 5, int(ctx.seconds(4))
    ours, others = [], []
    with ctx.capture('gaps', *begun(n_flows, n_flows)) as path:
        line = open_line(ctx, path, n_flows, '--gaps')
        try:
            line.warm_up(n_flows)
            for _ in range(n_turns):
                line.gaps()
                time.sleep(seconds)
                ours.append(line.gaps())
                line.pause()
                others.append(still(ctx, seconds))
                line.go_on()
                time.sleep(2)  # it closes what it missed
        finally:
            line.close()
    a, b = merged(ours), merged(others)
    note = (f'{above(a, limit_us, n_turns * seconds):.0f} a second above {limit_us} us; a thread that does nothing, in turns: '
            f'{b["longest_ns"] / 1000:.1f} us, {above(b, limit_us, n_turns * seconds):.0f} a second; us: {spread(a["us"])}; '
            f'put aside: {a["switched"]} switched, {a["stolen"]} stolen')
    ctx.add(benchlib.Row('gaps-1M', [a['longest_ns'] / 1000], unit='us longest', target=limit_us, is_at_least=False, note=note))


def fresh(ctx):
    """Flows that it sees from their first packet to their last: once through the capture, which lies in mbufs."""
    n = 100000 if ctx.is_quick else 400000
    options = ('--subscribers', 1000, '--flows', 2, '--flow-packets', 20, '--quic', ctx.top / 'pcaps/quic.pcap', '--frames', n)
    room = 2048
    with ctx.capture('fresh', *options) as path:
        pairs = []
        pmd = benchlib.Testpmd(ctx, looped(path), n + SPARE_MBUFS, room, (CONTROL_CPU, POLLING_CPU))
        try:
            for i in range(ctx.n_pairs):
                pmd.n_frames()
                other = pmd.measure(ctx.seconds(1))
                pmd.pause()
                ours, stats = once_through(ctx, path, n)
                pmd.go_on()
                pairs.append((ours, other))
        finally:
            pmd.close()
    note = f'{n / stats["flows"]:.0f} packets a flow, {stats["classified"] / stats["flows"]:.1f} of them classified'
    ctx.add(benchlib.Row('fresh', [a for a, _ in pairs], [b for _, b in pairs], 'testpmd rxonly', note=note))


def once_through(ctx, path, n):
    """CPU time a frame, of the first 50 to 100 % of the capture's frames; and the counters then."""
    line = benchlib.Line(ctx, '--cpus', f'{CONTROL_CPU},{POLLING_CPU}', '--kept', n, looped(path))
    try:
        seen = (0, 0, {})
        while True:
            s = line.stats()
            if s['accounted'] > n:
                break
            seen = (line.cpu_ns(), s['accounted'], s)
            time.sleep(0.002)
    finally:
        line.close()
    if seen[1] < n / 2:
        raise benchlib.Failure('this machine is too busy to look at 400,000 packets while they pass')
    return seen[0] / seen[1], seen[2]


def scale(ctx):
    """From one worker to two, each on a CPU and a queue of its own; control only takes what they say."""
    n = 131072
    with ctx.capture('scale-a', *begun(65536, n), '--acks') as a, \
            ctx.capture('scale-b', *begun(65536, n), '--acks', '--first', 65536) as b:
        args = ('--kept', 2 * n, '--room', ROOM)
        one = benchlib.Line(ctx, '--cpus', f'{CONTROL_CPU},{POLLING_CPU}', *args, looped(a))
        two = benchlib.Line(ctx, '--cpus', f'{CONTROL_CPU},{POLLING_CPU},{CONTROL_CPU}', *args, '--workers', 2, '--spread',
                            f'net_pcap0,rx_pcap={a},rx_pcap={b},infinite_rx=1')
        try:
            one.warm_up(n)
            one.pause()
            two.warm_up(2 * n)
            pairs = benchlib.in_turns(one, two, ctx.n_pairs, ctx.seconds(1.5), benchlib.Polling.wall_ns)
        finally:
            one.close()
            two.close()
    ctx.add(benchlib.Row('scale-2', [two for _, two in pairs], [one for one, _ in pairs], 'one worker', target=1.8))
