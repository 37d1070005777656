# SPDX-License-Identifier: BSD-3-Clause
"""Instructions a packet of the functions on its way, as callgrind counts them: the same on every machine with the same
compiler, so that a regression is a diff of instructions.txt."""
import collections
import os
import re
import subprocess

import benchlib

FOLDERS = ('dataplane/', 'classifier/')
FRAMES = (10000, 30000)  # what the larger one takes beyond the smaller one: no start, no end, no flow that begins long
LEAST = 2  # instructions a packet below which a function is not worth a line; threads that wait differ by so much
TOLERANCE = 0.02  # hashes are keyed at random: chains differ
NAMES = {}


def named(text):
    """callgrind gives a name once, '(7) dp_walk', and then its number."""
    number, _, name = text.partition(' ')
    if name:
        NAMES[number] = name
    return NAMES[number]


def self_costs(path, top):
    """Instructions in each of our functions itself, what was inlined into it included."""
    NAMES.clear()
    files, costs, function, is_call = {}, collections.Counter(), None, False
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            line = line.rstrip('\n')
            key, found, value = line.partition('=')
            if found and key in ('fl', 'fi', 'fe', 'cfi', 'cfl', 'ob', 'cob'):
                number, _, name = value.partition(' ')
                space = 'ob' if key in ('ob', 'cob') else 'fl'
                if name:
                    files[space, number] = name
                if key == 'fl':
                    file = files[space, number]
            elif found and key == 'fn':
                name = named(value)
                function = name if is_ours(file, top) else None
            elif found and key == 'cfn':
                named(value)
            elif found and key == 'calls':
                is_call = True
            elif re.match(r'[+\-*0-9]', line):
                if not is_call and function is not None:
                    costs[function] += int(line.split()[1])
                is_call = False
    return costs


def is_ours(file, top):
    path = os.path.relpath(os.path.realpath(file), top) if file.startswith('/') else file
    return path.startswith(FOLDERS)


def count(ctx, n_frames, *options):
    """Instructions by function; one worker, all within a tick: no thread waits for another, whose rounds would be counted."""
    out = f'{ctx.folder}/callgrind.out'
    with ctx.capture('instructions', '--frames', n_frames, '--rate', '1M', *options) as path:
        command = ['valgrind', '--tool=callgrind', '--compress-pos=no', f'--callgrind-out-file={out}',
                   ctx.program('control/wirecue'), 'replay', '--no-redis', '--workers', '1', path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise benchlib.Failure(f'valgrind cannot map hugepages of DPDK, are there any? {done.stderr.strip().splitlines()[-1]}')
    return self_costs(out, os.path.realpath(ctx.top))


def per_packet(ctx, *options):
    few, many = (count(ctx, n, *options) for n in FRAMES)
    costs = {name: (many[name] - few[name]) / (FRAMES[1] - FRAMES[0]) for name in many}
    return {name: cost for name, cost in costs.items() if cost >= LEAST}


CASES = {
    'known': ('--begun', '--subscribers', 100, '--flows', 1, '--flow-packets', 0),
    'fresh': ('--subscribers', 100, '--flows', 2, '--flow-packets', 20),
}
HEAD = """\
# Instructions a packet, by function, what was inlined into it included: `./dev bench instructions --update` writes this,
# `./dev bench instructions` compares. Known: of 100 flows, from
# the 100th packet of each on; fresh: flows of some 24 packets, from the first to the last.
# {compiler}
"""


def file_of(ctx):
    return ctx.top / 'tests/bench/instructions.txt'


def read_file(ctx):
    rows = {}
    with open(file_of(ctx), encoding='utf-8') as lines:
        text = lines.read().splitlines()
    for line in text:
        if line and not line.startswith('#'):
            case, name, cost = line.split()
            rows[case, name] = float(cost)
    return text[3].removeprefix('# '), rows


def compare(stored, now):
    """Functions whose figures are apart, in words."""
    for row in sorted(stored.keys() | now.keys()):
        a, b = stored.get(row, 0), now.get(row, 0)
        if abs(a - b) > max(LEAST, TOLERANCE * a):
            yield f'{row[0]:<8} {row[1]:<34} {a:9.1f} -> {b:9.1f}'


def run(ctx):
    now = {(case, name): round(cost, 1) for case, options in CASES.items() for name, cost in per_packet(ctx, *options).items()}
    for case in CASES:
        total = sum(cost for (of, _), cost in now.items() if of == case)
        print(f'instructions-{case:<11} {total:9.1f} a packet in our own functions')
    compiler = benchlib.output_of('cc', '--version').split('\n', maxsplit=1)[0]
    if ctx.is_update:
        with open(file_of(ctx), 'w', encoding='utf-8') as out:
            out.write(HEAD.format(compiler=compiler))
            for (case, name), cost in sorted(now.items(), key=lambda row: (row[0][0], -row[1])):
                out.write(f'{case:<8} {name:<34} {cost:9.1f}\n')
        return
    stored_with, stored = read_file(ctx)
    changes = list(compare(stored, now))
    print('\n'.join(f'  {change}' for change in changes) or '  as stored')
    if changes and stored_with == compiler:
        raise benchlib.Failure(f'{len(changes)} functions differ from tests/bench/instructions.txt; --update when that is meant')
    if changes:
        print(f'  stored with another compiler: {stored_with}')
