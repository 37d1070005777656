# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks share: the machine in words, pairs of measurements, polling processes, the table.

A figure of a shared machine means nothing alone. Whatever is measured is measured in turns with something known, in the
same run: the ratio of each pair is what counts, and of the ratios the median."""
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import re
import select
import signal
import statistics
import subprocess
import tempfile
import time

HIGH_LOAD = 0.5  # of other programs, before the first measurement
PATIENCE_S = 300
ANSWER_S = 20


class Failure(Exception):
    """What cannot be measured, and why, in a sentence."""


@dataclasses.dataclass
class Context:
    """One run of the suite."""
    build: pathlib.Path
    top: pathlib.Path
    n_pairs: int
    is_quick: bool
    is_update: bool
    folder: str = ''
    rows: list = dataclasses.field(default_factory=list)

    def program(self, name):
        return str(self.build / name)

    def seconds(self, usual):
        return usual / 4 if self.is_quick else usual

    def add(self, row):
        self.rows.append(row)
        print(row.text(), flush=True)

    @contextlib.contextmanager
    def capture(self, name, *options):
        """A capture that the generator makes, for as long as it is used."""
        path = f'{self.folder}/{name}.pcap'
        subprocess.run([self.program('tests/bench/generate'), *map(str, options), path], check=True)
        try:
            yield path
        finally:
            os.unlink(path)

    @contextlib.contextmanager
    def in_folder(self):
        """Captures live in the build folder: gigabytes fit there, and a tmpfs would take memory from what is measured."""
        with tempfile.TemporaryDirectory(prefix='bench-', dir=self.build) as self.folder:
            yield


@dataclasses.dataclass
class Row:
    """One line of the table: what we need, beside what a known program needs."""
    name: str
    ours: list  # of each pair, in `unit`
    other: list = dataclasses.field(default_factory=list)
    other_name: str = ''
    unit: str = 'ns'
    target: float = 0
    is_at_least: bool = True
    is_speed: bool = True  # ratio: other / ours, so that more is better; else ours / other
    note: str = ''

    def ratios(self):
        pairs = zip(self.ours, self.other)
        return [b / a if self.is_speed else a / b for a, b in pairs]

    def value(self):
        """What the target is about: the median of ratios, or of our figures where there is no other."""
        return statistics.median(self.ratios() if self.other else self.ours)

    def is_met(self):
        return self.value() >= self.target if self.is_at_least else self.value() <= self.target

    def verdict(self):
        if not self.target:
            return ''
        sign = '>=' if self.is_at_least else '<='
        return f'target {sign} {self.target:g}: {"met" if self.is_met() else "MISSED"}'

    def figure(self, values):
        v = statistics.median(values)
        per_core = f' {1000 / v:6.2f} Mpps/core' if self.unit == 'ns' else ''
        return f'{v:9.1f} {self.unit}{per_core}'

    def text(self):
        parts = [f'{self.name:<24} {self.figure(self.ours)}']
        if self.other:
            r = self.ratios()
            parts.append(f'{self.other_name} {self.figure(self.other).strip()}')
            parts.append(f'ratio {statistics.median(r):.3g} ({min(r):.3g}..{max(r):.3g} of {len(r)})')
        parts += [p for p in (self.verdict(), self.note) if p]
        return ' | '.join(parts)

    def markdown(self):
        r = self.ratios() if self.other else []
        beside = f'{self.other_name} {self.figure(self.other).strip()}' if r else ''
        ratio = f'**{statistics.median(r):.3g}** ({min(r):.3g} to {max(r):.3g}, {len(r)} pairs)' if r else ''
        return f'| `{self.name}` | {self.figure(self.ours).strip()} | {beside} | {ratio} | {self.verdict()} | {self.note} |'

    def as_json(self):
        ratios = self.ratios() if self.other else None
        return dataclasses.asdict(self) | {'ratios': ratios, 'value': self.value(),
                                           'is_met': self.is_met() if self.target else None}


# --- the machine ----------------------------------------------------------------------------------------------------


def first_match(path, pattern):
    with contextlib.suppress(OSError):
        found = re.search(pattern, pathlib.Path(path).read_text(encoding='utf-8'), re.MULTILINE)
        if found:
            return found[1]
    return 'unknown'


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def compiler_flags(build):
    """As the worker was compiled with, without warnings and paths."""
    with open(build / 'compile_commands.json', encoding='utf-8') as f:
        command = next((e['command'] for e in json.load(f) if e['file'].endswith('dataplane/worker.c')), '')
    words = re.findall(r'(?:^|\s)(-(?:O\S*|g|m\S+|f\S+|std=\S+|D_?N?DEBUG\S*))', command)
    return f'{command.split()[0] if command else "cc"} {" ".join(words)}'


def machine(ctx):
    cpu = first_match('/proc/cpuinfo', r'^model name\s*: (.*)$')
    mb = int(first_match('/proc/meminfo', r'^MemTotal:\s*(\d+)') or 0) // 1024
    pages = first_match('/proc/meminfo', r'^HugePages_Free:\s*(\d+)')
    is_guest = 'hypervisor' in pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8')
    return {
        'machine': f'{os.cpu_count()} {"virtual " if is_guest else ""}CPUs of {cpu}, {mb} MB, {pages} free hugepages',
        'system': f'{first_match("/etc/os-release", "^PRETTY_NAME=.(.*).$")}, Linux {platform.release()}',
        'compiler': output_of('cc', '--version').split('\n', maxsplit=1)[0],
        'flags': compiler_flags(ctx.build),
        'libraries': f'DPDK {output_of("pkg-config", "--modversion", "libdpdk")}, '
                     f'nDPI {output_of("pkg-config", "--modversion", "libndpi")}, '
                     f'libpcap {output_of("pkg-config", "--modversion", "libpcap")}',
        'revision': output_of('git', '-C', str(ctx.top), 'describe', '--always', '--dirty'),
        'load': f'{os.getloadavg()[0]:.2f} when it began',
    }


def warn_of_load():
    load = os.getloadavg()[0]
    if load > HIGH_LOAD:
        print(f'warning   a load of {load:.1f}: others use this machine; ratios may hold, figures do not')


# --- processes that poll --------------------------------------------------------------------------------------------


class Polling:
    """A process with threads that poll ports; stopped as a whole while another one is measured."""

    def __init__(self, command, log):
        self.log = open(log, 'w+', encoding='utf-8')
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.heard = b''
        self.name = os.path.basename(command[2 if command[0] == 'stdbuf' else 0])

    def say(self, text):
        try:
            self.process.stdin.write(f'{text}\n'.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.death() from None

    def hear(self):
        """The next line it says."""
        while b'\n' not in self.heard:
            if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
                raise Failure(f'{self.name} does not answer')
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise self.death()
            self.heard += more
        text, _, self.heard = self.heard.partition(b'\n')
        return text.decode(errors='replace')

    def death(self):
        self.process.wait(timeout=10)
        self.log.seek(0)
        words = self.log.read().strip().split('\n')[-1]
        return Failure(f'{self.name} ended with {self.process.returncode}: {words}')

    def n_frames(self):
        raise NotImplementedError(self.name)

    def cpu_ns(self):
        """Of its polling threads, without what was stolen or used by others."""
        total = 0
        for task in pathlib.Path(f'/proc/{self.process.pid}/task').iterdir():
            comm = (task / 'comm').read_text(encoding='ascii')
            if comm.startswith(('rte-worker', 'lcore-worker')):
                total += int((task / 'schedstat').read_text(encoding='ascii').split()[0])
        return total

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def wall_ns(self):
        return time.monotonic_ns()

    def measure(self, seconds, clock=cpu_ns):
        """Nanoseconds a frame, over so many seconds."""
        n, begin = self.n_frames(), clock(self)
        time.sleep(seconds)
        n_later, end = self.n_frames(), clock(self)
        if n_later == n:
            raise Failure(f'{self.name} received nothing within {seconds} s')
        return (end - begin) / (n_later - n)

    def close(self):
        self.go_on()
        with contextlib.suppress(Failure, OSError):
            self.say('quit')
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Line(Polling):
    """The whole worker (line.c)."""

    def __init__(self, ctx, *args):
        super().__init__([ctx.program('tests/bench/line'), *map(str, args)], f'{ctx.folder}/line.log')
        self.n_measured = self.n_lost = 0
        self.lost_as = ''

    def stats(self):
        self.say('stats')
        return json.loads(self.hear())

    def gaps(self):
        self.say('gaps')
        return json.loads(self.hear())

    def n_frames(self):
        return self.stats()['accounted']

    def measure(self, seconds, clock=Polling.cpu_ns):
        """What is lost in between is kept: a pause makes it close two ticks at once, which is nobody's everyday work."""
        before = self.stats()
        ns = super().measure(seconds, clock)
        after = self.stats()
        self.n_measured += after['frames'] - before['frames']
        self.n_lost += after['other'] - before['other']
        self.lost_as = after['most']
        return ns

    def warm_up(self, n_loop):
        """Until it has seen the loop three times and the classifier was asked nothing for a whole one more."""
        deadline = time.monotonic() + PATIENCE_S
        quiet = s = self.stats()
        while s['frames'] < 3 * n_loop or s['accounted'] - quiet['accounted'] < 2 * n_loop:
            if time.monotonic() > deadline:
                raise Failure(f'the classifier is still asked after {PATIENCE_S} s')
            time.sleep(0.02)
            s = self.stats()
            if s['classified'] != quiet['classified']:
                quiet = s
        return s


class Testpmd(Polling):
    """DPDK's own, receiving and freeing: what a packet costs before anybody looks at it."""

    def __init__(self, ctx, device, n_mbufs, room, cpus):
        super().__init__(
            # Into a pipe its answers would wait for more of them.
            ['stdbuf', '-oL', 'dpdk-testpmd', f'--lcores=0@{cpus[0]},1@{cpus[1]}', *eal_memory(n_mbufs * mbuf_bytes(room) >> 20), '--no-pci',
             '--no-telemetry', '--iova-mode=va', f'--vdev={device}', '--', '-i', '--forward-mode=rxonly', '--auto-start',
             '--nb-cores=1', '--rxq=1', '--txq=1', '--burst=32', '--no-flush-rx', f'--total-num-mbufs={n_mbufs}',
             f'--mbuf-size={room + 128}'], f'{ctx.folder}/testpmd.log')

    def n_frames(self):
        self.say('show port stats 0')
        while True:
            found = re.search(r'RX-packets: (\d+) +RX-missed', self.hear())
            if found:
                return int(found[1])


def mbuf_bytes(room):
    """In a pool: headers, and none across the border of two pages of 4096."""
    n_bytes = room + 400
    return n_bytes if n_bytes < 1024 else 4096 * -(-n_bytes // 4096)


def eal_memory(mb):
    """As dataplane/eal.c chooses: hugepages when there are enough, which nobody tells apart better than the kernel."""
    free_mb = 2 * int(first_match('/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages', r'(\d+)').replace('unknown', '0'))
    need_mb = (64 + mb) * 5 // 4
    return ['--in-memory'] if free_mb >= need_mb else ['--no-huge', '--no-shconf', '-m', str(need_mb)]


def in_turns(a, b, n_pairs, seconds, clock=Polling.cpu_ns):
    """Both are running. Pairs of (nanoseconds a frame of a, of b), each first in every other pair."""
    pairs = []
    a.pause()
    b.pause()
    for i in range(n_pairs):
        pair = {}
        for which in ((a, b), (b, a))[i % 2]:
            which.go_on()
            time.sleep(0.05)  # its caches are its own again
            pair[which] = which.measure(seconds, clock)
            which.pause()
        pairs.append((pair[a], pair[b]))
    return pairs
