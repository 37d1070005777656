# SPDX-License-Identifier: BSD-3-Clause
"""What all lints share: the tree's files, arguments, and how a finding is told.

A lint is a function of a Tree that yields findings. It needs no git: a copy of the tree is linted
as well as a clone.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

# Folders that hold nothing of ours. build*, at the top only, is what ./dev makes.
PRUNED = {'.git', '__pycache__', 'node_modules'}  # a worktree's .git is a file


class Tree:
    def __init__(self, top, build=None):
        self.top = pathlib.Path(top).resolve()
        self.build = pathlib.Path(build).resolve() if build else None
        self._files = None

    def files(self):
        """Every regular file as a path relative to the top, sorted; '/' between the parts."""
        if self._files is None:
            self._files = []
            for folder, subfolders, names in os.walk(self.top):
                here = pathlib.Path(folder).relative_to(self.top)
                is_top = here == pathlib.Path('.')
                subfolders[:] = [s for s in subfolders if s not in PRUNED
                                 and not (is_top and s.startswith('build'))]
                for name in sorted(set(names) - PRUNED):
                    path = here / name
                    if (self.top / path).is_file() and not (self.top / path).is_symlink():
                        self._files.append(path.as_posix())
            self._files.sort()
        return self._files

    def ending(self, *suffixes):
        return [f for f in self.files() if f.endswith(suffixes)]

    def read(self, path):
        """The file's text, or None when it is not text."""
        data = (self.top / path).read_bytes()
        if b'\0' in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def program(self):
        """The built wirecue. Ends with a sentence when it is not there."""
        path = self.build / 'control' / 'wirecue'
        if not path.is_file():
            sys.exit(f"{path} is not built: './dev build' does it")
        return path

    def lines(self, path):
        """(number from 1, line) of a text file, nothing of another."""
        return enumerate((self.read(path) or '').split('\n'), 1)

    def shebang(self, path):
        """'bash' for a file that starts with #!/bin/bash or #!/usr/bin/env bash, or ''."""
        with open(self.top / path, 'rb') as f:
            m = re.match(rb'#! *(?:\S+/env +)?(?:\S*/)?([\w.-]+)', f.readline(256))
        return m[1].decode() if m else ''

    def shell_scripts(self):
        return [f for f in self.files()
                if f.endswith('.sh') or self.shebang(f) in ('sh', 'bash', 'dash')]


def run(tool, files, cwd, n_jobs=2):
    """Run tool on files, n_jobs at a time; yield its lines of output where it ends with non-zero.

    A tool that is missing raises: what cannot look must not say that all is well.
    """
    if not files:
        return
    size = -(-len(files) // n_jobs)
    jobs = [subprocess.Popen([*tool, *files[i:i + size]], cwd=cwd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for i in range(0, len(files), size)]
    for job in jobs:
        output = job.communicate()[0].strip()
        if job.returncode != 0:
            yield from (output or f'{tool[0]} ended with {job.returncode}').split('\n')


def main(lint, needs_build=False):
    """Call lint(tree), print what it yields, one finding a line; exit with 1 if there was one.

    A finding that starts with 'note: ' is printed and forgiven.
    """
    parser = argparse.ArgumentParser(description=sys.modules['__main__'].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--top', default=pathlib.Path(__file__).parents[2], help='the tree')
    parser.add_argument('--build', required=needs_build, help='a configured and built folder')
    args = parser.parse_args()
    n_findings = 0
    for finding in lint(Tree(args.top, args.build)):
        print(finding)
        n_findings += not finding.startswith('note: ')
    sys.exit(1 if n_findings else 0)
