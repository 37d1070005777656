# SPDX-License-Identifier: BSD-3-Clause
"""Single steps of a packet's way (micro.c)."""
import json
import statistics
import subprocess

import benchlib

CPU = 0


def micro(ctx, *args):
    command = ['taskset', '-c', str(CPU), ctx.program('tests/bench/micro'), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise benchlib.Failure(f'micro {args[0]}: {done.stderr.strip() or done.returncode}')
    return json.loads(done.stdout)


def walk(ctx):
    """From a frame to its innermost packet. The reference opens no GTP-U: there it has the less to do."""
    for name, options in (('walk', ()), ('walk-gtpu', ('--gtpu',))):
        with ctx.capture(name, '--frames', 20000, '--flow-packets', 0, *options) as path:
            seen = micro(ctx, 'walk', ctx.n_pairs, ctx.seconds(0.4), path)
        ctx.add(benchlib.Row(name, seen['ours'], seen['rte_net_get_ptype'], 'rte_net_get_ptype'))


def lookup(ctx):
    """A flow among many, in bursts of 32 and a random order."""
    for name, n_flows in (('lookup-64k', 1 << 16), ('lookup-1M', 1 << 20), ('lookup-8M', 1 << 23)):
        if ctx.is_quick and n_flows > 1 << 20:
            continue
        seen = micro(ctx, 'lookup', ctx.n_pairs, ctx.seconds(0.4), n_flows)
        floor = statistics.median(seen['array'])
        ctx.add(benchlib.Row(name, seen['ours'], seen['rte_hash_lookup_bulk_data'], 'rte_hash_lookup_bulk_data',
                             note=f'an array of lines, its index known: {floor:.1f} ns'))
