# SPDX-License-Identifier: BSD-3-Clause
"""What the build folder knows of our own code: sources, how they are compiled, their objects."""
import json
import pathlib
import shlex
import subprocess

FOLDERS = ('dataplane', 'classifier', 'ebpf', 'control')


class Unit:
    """One C file of the product and its object."""

    def __init__(self, tree, entry):
        directory = pathlib.Path(entry['directory'])
        self.directory = directory
        self.command = shlex.split(entry['command'])
        self.source = (directory / entry['file']).resolve()
        self.object = directory / self.command[self.command.index('-o') + 1]
        inside = self.source.is_relative_to(tree.top)
        self.path = self.source.relative_to(tree.top).as_posix() if inside else None
        self.folder = self.path.split('/')[0] if inside else None

    def preprocessed(self):
        """The text after the preprocessor, with its line markers."""
        command, skip = [], False
        for word in self.command:
            if skip:
                skip = False
            elif word in ('-o', '-MF', '-MQ', '-MT'):
                skip = True
            elif word not in ('-c', '-MD', '-MMD'):
                command.append(word)
        return subprocess.run([*command, '-E'], cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors='replace', check=True).stdout


def units(tree):
    """The product's compilation units. Only what the build still knows: no object of a deleted
    source. Tests are no product: they may send on rings of their own."""
    with open(tree.build / 'compile_commands.json', encoding='utf-8') as f:
        every = [Unit(tree, entry) for entry in json.load(f)]
    return [u for u in every if u.folder in FOLDERS and u.path.endswith('.c')
            and not u.path.endswith('.bpf.c')]


def symbols(file, *options):
    """(type, name) as nm prints them; [] where there is no symbol table (a stripped program)."""
    shown = subprocess.run(['nm', *options, file], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    return [(row[-2], row[-1].split('@')[0]) for row in rows if len(row) >= 2]
