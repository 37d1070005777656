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


def resident_with(ctx, n_flows, n_flows_each, capacity):
    """Bytes of a worker with room for so many flows that knows so many, and its counters."""
    path = f'{ctx.folder}/memory.fifo'
    os.mkfifo(path)
    feeder = threading.Thread(target=feed, args=(ctx, path, n_flows, n_flows_each), daemon=True)
    feeder.start()
    line = benchlib.Line(ctx, '--cpus', f'{lines.CONTROL_CPU},{lines.POLLING_CPU}', '--flows', capacity,
                         f'net_pcap0,rx_pcap={path}')
    try:
        deadline = time.monotonic() + benchlib.PATIENCE_S
        while (s := line.stats())['frames'] < n_flows * PACKETS:
            if time.monotonic() > deadline:
                raise benchlib.Failure(f'{s["frames"]} of {n_flows * PACKETS} frames after {benchlib.PATIENCE_S} s')
            time.sleep(0.1)
        time.sleep(3)  # ticks in which nothing happens
        s = line.stats()
        return resident(line), s
    finally:
        line.close()
        os.unlink(path)


def memory(ctx):
    """From a worker that knows few to one that knows 8 M, tables full in both."""
    few, many = 1 << 16, 1 << (20 if ctx.is_quick else 23)
    few_bytes, _ = resident_with(ctx, few, 512, few)
    many_bytes, s = resident_with(ctx, many, 512, many)
    if s['flows'] != many or s['evicted'] or s['other']:
        raise benchlib.Failure(f'of {many} flows {s["flows"]} came, {s["evicted"]} were evicted')
    ctx.add(benchlib.Row('memory-flow', [(many_bytes - few_bytes) / (many - few)], unit='bytes', target=128, is_at_least=False,
                         note=f'{many_bytes >> 20} MB with {many} flows, {s["classified"] / many:.1f} packets of each classified'))
