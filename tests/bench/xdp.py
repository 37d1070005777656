# SPDX-License-Identifier: BSD-3-Clause
"""What the program in the kernel costs (xdp_cost.c)."""
import json
import os
import subprocess

import benchlib

SKIPPED = 77


def cost(ctx):
    """A packet of a decided flow, beside a program that parses and does one look-up in a map of the same size."""
    program = ctx.program('tests/bench/xdp_cost')
    if not os.path.exists(program):
        raise benchlib.Failure('this was built without the XDP path')
    for name, n_flows in (('xdp-32k', 1 << 15), ('xdp-64k', 1 << 16)):
        command = [program, str(ctx.n_pairs), str(ctx.seconds(4)), str(n_flows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == SKIPPED:
            print(f'{name:<24} skipped: {done.stderr.strip()}', flush=True)
            return
        if done.returncode != 0:
            raise benchlib.Failure(done.stderr.strip() or f'xdp_cost ended with {done.returncode}')
        seen = json.loads(done.stdout)
        ctx.add(benchlib.Row(name, seen['ours'], seen['bare'], 'a bare program', target=1.5, is_at_least=False,
                             is_speed=False))
