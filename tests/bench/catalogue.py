# SPDX-License-Identifier: BSD-3-Clause
"""The app catalogue with a million hosts and a hundred thousand networks (catalogue.c)."""
import json
import statistics
import subprocess
import tempfile

import benchlib

CPU = 0
LOADS = 3
MOST_NS = 300
MOST_TIMES = 5  # of the look-up among a thousand hosts
MOST_LOAD_MS = 3000
MOST_LOAD_MB = 250


def ask(ctx, *args):
    command = ['taskset', '-c', str(CPU), ctx.program('tests/bench/catalogue'), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise benchlib.Failure(f'catalogue {args[0]}: {done.stderr.strip() or done.returncode}')
    return json.loads(done.stdout) if done.stdout else None


def hosts(ctx, n_hosts):
    seen = ask(ctx, 'hosts', ctx.n_pairs, ctx.seconds(0.4), n_hosts)
    many, few = seen[f'mixed_{n_hosts}'], seen['mixed_1000']
    kinds = ', '.join(f'{kind} {statistics.median(seen[f"{kind}_{n_hosts}"]["ns"]):.0f} '
                      f'beside {statistics.median(seen[f"{kind}_1000"]["ns"]):.0f}' for kind in ('hits', 'misses', 'deep'))
    ctx.add(benchlib.Row('hosts-1M', many['ns'], unit='ns a name', target=MOST_NS, is_at_least=False,
                         note=f'{n_hosts} hosts, {many["found"]} of 100 names found; {kinds}'))
    ctx.add(benchlib.Row('hosts-1M-growth', many['ns'], few['ns'], '1000 hosts', unit='ns a name', target=MOST_TIMES,
                         is_at_least=False, is_speed=False))


def nets(ctx, n_nets):
    seen = ask(ctx, 'nets', ctx.n_pairs, ctx.seconds(0.4), n_nets)
    many, few = seen[f'nets_{n_nets}'], seen['nets_1000']
    ctx.add(benchlib.Row('nets-100k', many['ns'], few['ns'], '1000 networks', unit='ns an address', is_speed=False,
                         note=f'{n_nets} networks, {many["found"]} of 100 addresses found'))


def load(ctx, n_hosts, n_nets):
    built = [ask(ctx, 'build', n_hosts, n_nets) for _ in range(LOADS)]
    ctx.add(benchlib.Row('catalogue-build', [1000 * b['seconds'] for b in built], unit='ms',
                         note=f'{n_hosts} hosts, {n_nets} networks: {built[0]["grown_mb"]:.0f} MB, '
                              f'{built[0]["peak_mb"]:.0f} while it is made'))
    with tempfile.TemporaryDirectory(dir=ctx.folder) as folder:
        ask(ctx, 'make', n_hosts, n_nets, folder)
        loaded = [ask(ctx, 'load', f'{folder}/apps.yaml') for _ in range(LOADS)]
    if (loaded[0]['hosts'], loaded[0]['nets']) != (n_hosts, n_nets):
        raise benchlib.Failure(f'{loaded[0]["hosts"]} hosts and {loaded[0]["nets"]} networks were read')
    ctx.add(benchlib.Row('catalogue-load', [1000 * b['seconds'] for b in loaded], unit='ms', target=MOST_LOAD_MS,
                         is_at_least=False, note='from apps.yaml and 16 hosts files, the build above included'))
    ctx.add(benchlib.Row('catalogue-load-peak', [b['peak_mb'] for b in loaded], unit='MB', target=MOST_LOAD_MB,
                         is_at_least=False, note=f'of the whole process; {loaded[0]["mb"]:.0f} when it is done'))


def run(ctx):
    """A name and an address among few and among many, and how the catalogue comes to be."""
    n_hosts, n_nets = (100000, 10000) if ctx.is_quick else (1000000, 100000)
    hosts(ctx, n_hosts)
    nets(ctx, n_nets)
    load(ctx, n_hosts, n_nets)
