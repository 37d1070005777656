# SPDX-License-Identifier: BSD-3-Clause
"""What a worker holds in memory, by what the kernel says: tables, names, the classifier, everything."""
import os
import re
import shutil
import subprocess
import threading
import time

import benchlib
import lines
import steps

FLOWS_AT_A_TIME = 16384  # the classifier has state of so many, not of all
PACKETS = 6  # of a flow: handshake, request, answer
HEADER_BYTES = 24  # of a pcap file


def feed(ctx, path, n_flows, n_flows_each):
    """Flows that become known one group after the other, then are silent; as one capture."""
    n_subscribers = FLOWS_AT_A_TIME // n_flows_each
    with open(path, 'wb') as out:
        for i in range(n_flows // FLOWS_AT_A_TIME):
            command = [ctx.program('tests/bench/generate'), '--flow-packets', 0, '--snaplen', 700, '--first', i * n_subscribers,
                       '--subscribers', n_subscribers, '--flows', n_flows_each, '--frames', PACKETS * FLOWS_AT_A_TIME, '-']
            with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE) as process:
                header = process.stdout.read(HEADER_BYTES)
                if i == 0:
                    out.write(header)
                    out.flush()
                shutil.copyfileobj(process.stdout, out, 1 << 20)
            if process.returncode != 0:
                raise benchlib.Failure(f'generate ended with {process.returncode}')


def resident(line):
    text = benchlib.first_match(f'/proc/{line.process.pid}/smaps_rollup', r'^Rss:\s*(\d+) kB')
    return 1024 * int(text)


def grown(ctx, n_flows, n_flows_each):
    """Bytes that a worker had at its start, by how much it grew while it came to know so many flows, and its counters."""
    path = f'{ctx.folder}/memory.fifo'
    os.mkfifo(path)
    feeder = threading.Thread(target=feed, args=(ctx, path, n_flows, n_flows_each), daemon=True)
    feeder.start()
    line = benchlib.Line(ctx, '--cpus', f'{lines.CONTROL_CPU},{lines.POLLING_CPU}', '--flows', n_flows,
                         f'net_pcap0,rx_pcap={path}')
    try:
        deadline = time.monotonic() + benchlib.PATIENCE_S
        s = line.stats()
        begin = resident(line)
        while s['frames'] < n_flows * PACKETS:
            if time.monotonic() > deadline:
                raise benchlib.Failure(f'{s["frames"]} of {n_flows * PACKETS} frames after {benchlib.PATIENCE_S} s')
            time.sleep(0.1)
            s = line.stats()
        time.sleep(3)  # ticks in which nothing happens
        return begin, resident(line) - begin, line.stats()
    finally:
        line.close()
        os.unlink(path)


def memory(ctx):
    """What a worker takes for each flow and for each entry of endpoint and app; and that feeding it takes nothing more."""
    few, n_flows = 1 << 20, 1 << (22 if ctx.is_quick else 23)  # with 1 M the classifier has what it ever takes
    seen = steps.micro(ctx, 'memory', n_flows)
    _, few_growth, _ = grown(ctx, few, 512)
    begin, growth, s = grown(ctx, n_flows, 512)
    if s['flows'] != n_flows or s['evicted'] or s['other']:
        raise benchlib.Failure(f'of {n_flows} flows {s["flows"]} came, {s["evicted"]} were evicted')
    more = (growth - few_growth) / (n_flows - few)
    ctx.add(benchlib.Row('memory-flow', [seen['flow'] + more], unit='bytes', target=128, is_at_least=False,
                         note=f'{seen["flow"]} from the start; a whole worker of {begin >> 20} MB grew by {growth >> 20} MB '
                              f'while {n_flows} flows became known, one for {few} by {few_growth >> 20}'))
    ctx.add(benchlib.Row('memory-entry', [seen['entry']], unit='bytes', note='endpoint x app, with its share of quality'))
