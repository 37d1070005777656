# SPDX-License-Identifier: BSD-3-Clause
"""What the XDP path costs: in the kernel alone (xdp_cost.c), and of the whole daemon on a veth (xdp_feed.c)."""
import contextlib
import json
import os
import pathlib
import subprocess
import time

import benchlib

SKIPPED = 77
IN, OUT = 'wcbench0', 'wcbench1'  # what goes into one comes out of the other
KNOWN_FLOWS = 1 << 15
PER_SECOND, EACH = 20000, 10  # new flows, packets of each
CPUS = (0, 1)  # who sends, and with that the kernel that receives; the daemon

CONFIG = """node: bench
ports: [{{name: bench, device: "{device}"}}]
endpoints: {{networks: [10.0.0.0/8]}}
workers: {{flows: 1M, cpus: [{cpu}]}}
store: {{enabled: false}}
control: {{socket: {folder}/bench.sock}}
privacy: {{subject: plain}}
"""


def built(ctx, name):
    program = ctx.program(f'tests/bench/{name}')
    if not os.path.exists(program):
        raise benchlib.Failure('this was built without the XDP path')
    return program


def cost(ctx):
    """A packet of a decided flow, beside a program that parses and does one look-up in a map of the same size."""
    program = built(ctx, 'xdp_cost')
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


# --- live ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def veth():
    commands = (f'ip link add {IN} type veth peer name {OUT}',
                f'ethtool -K {IN} txvlan off tx-vlan-stag-hw-insert off', f'ethtool -K {OUT} gro on',
                f'sysctl -qw net.ipv6.conf.{IN}.disable_ipv6=1 net.ipv6.conf.{OUT}.disable_ipv6=1',
                f'ip link set {IN} up', f'ip link set {OUT} up')
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise benchlib.Failure(f"'{command}': {done.stderr.strip()}")
        yield
    finally:
        subprocess.run(['ip', 'link', 'del', IN], capture_output=True, check=False)


def feed(ctx, *args):
    command = ['taskset', '-c', str(CPUS[0]), built(ctx, 'xdp_feed'), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise benchlib.Failure(done.stderr.strip().split('\n')[-1])
    return json.loads(done.stdout)


class Daemon:
    """wirecue run on the other end."""

    def __init__(self, ctx, device):
        self.program = ctx.program('control/wirecue')
        self.socket = f'{ctx.folder}/bench.sock'
        config = pathlib.Path(ctx.folder, 'bench.yaml')
        config.write_text(CONFIG.format(device=device, cpu=CPUS[1], folder=ctx.folder), encoding='utf-8')
        self.log = pathlib.Path(ctx.folder, 'bench.log')
        with open(self.log, 'w', encoding='utf-8') as log:
            self.process = subprocess.Popen([self.program, 'run', '-c', str(config)], stdout=log, stderr=log)

    def wait(self):
        deadline = time.monotonic() + benchlib.ANSWER_S
        while ' ready ' not in self.log.read_text(encoding='utf-8'):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise benchlib.Failure(self.log.read_text(encoding='utf-8').strip().split('\n')[-1])
            time.sleep(0.05)

    def show(self, *what):
        done = subprocess.run([self.program, 'show', *what, '--json', '--socket', self.socket], capture_output=True,
                              text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def frames(self):
        return self.show('ports')[0]['frames']

    def cpu_ns(self):
        """Of all its threads."""
        tasks = pathlib.Path(f'/proc/{self.process.pid}/task').iterdir()
        return sum(int((task / 'schedstat').read_text(encoding='ascii').split()[0]) for task in tasks)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=60)


@contextlib.contextmanager
def daemon(ctx, device):
    d = Daemon(ctx, device)
    try:
        d.wait()
        yield d
    finally:
        d.close()


def known(ctx, device, n):
    """(nanoseconds a packet received, its CPU time a packet) while n packets of known flows are sent as fast as that goes."""
    with daemon(ctx, device) as d:
        for _ in range(30):  # more of each than the classifier wants
            feed(ctx, '--pps', 100000, IN, KNOWN_FLOWS, KNOWN_FLOWS)
        frames, cpu = d.frames(), d.cpu_ns()
        sent = feed(ctx, IN, KNOWN_FLOWS, n)
        time.sleep(0.1)
        received, cpu = d.frames() - frames, d.cpu_ns() - cpu
    if received == 0:
        raise benchlib.Failure(f'{device} received nothing')
    return sent['ns'] / received, cpu / received


def live(ctx):
    """Packets a second, beside a program that drops, and beside DPDK's ways to a kernel's interface."""
    n = int(ctx.seconds(5) * 1e6)
    bare, ours, others = [], [], {'net_af_packet': [], 'net_af_xdp': []}
    with veth():
        for _ in range(max(1, ctx.n_pairs // 2)):
            dropped = feed(ctx, '--drop', OUT, IN, KNOWN_FLOWS, n)
            bare.append(dropped['ns'] / dropped['received'])
            ours.append(known(ctx, OUT, n))
            for driver, seen in others.items():
                seen.append(known(ctx, f'{driver},iface={OUT}', n))
    speed = [ns for ns, _ in ours]
    note = '' if min(bare) < 1000 / 3 else 'the machine is too slow: XDP_DROP stays below 3 Mpps'
    ctx.add(benchlib.Row('xdp-live', speed, bare, 'XDP_DROP', target=0.35, note=note))
    for driver, target in (('net_af_packet', 3), ('net_af_xdp', 1)):
        ctx.add(benchlib.Row(f'xdp-live-{driver[4:]}', speed, [ns for ns, _ in others[driver]], driver, target=target))
    ctx.add(benchlib.Row('xdp-cpu', [cpu for _, cpu in ours], [cpu for _, cpu in others['net_af_xdp']],
                         "net_af_xdp's of its process", target=0.02, is_at_least=False, is_speed=False))


def new_flows(ctx):
    """What finds no room on its way up."""
    with veth(), daemon(ctx, OUT) as d:
        sent = feed(ctx, '--new', EACH, '--pps', PER_SECOND * EACH, IN, 0,
                    int(ctx.seconds(10) * PER_SECOND * EACH))
        time.sleep(0.2)
        row = {row['what']: row['count'] for row in d.show('ledger', 'xdp')}
        frames = d.frames()
    per_second = sent['packets'] / EACH / sent['ns'] * 1e9
    ctx.add(benchlib.Row('xdp-new-flows', [row['lost']], unit='frames lost', is_at_least=False,
                         note=f'{per_second:.0f} new flows a second, {frames} of {sent["packets"]} frames received; '
                              f'target 0: {"met" if row["lost"] == 0 else "MISSED"}'))


def run(ctx):
    cost(ctx)
    live(ctx)
    new_flows(ctx)
