#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check triggers (JSON lines from files or standard input) against control/schema.

Exit code 0: all valid, and at least one; 1: findings on standard error; 77: this machine cannot
check (no python3-jsonschema)."""

import json
import os
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

TOP = os.environ.get("WIRECUE_TOP") or os.path.join(os.path.dirname(__file__), "..", "..")
SCHEMAS = os.path.join(TOP, "control", "schema")


def load_schemas():
    """All schemas by $id, so that references between them never leave the tree."""
    schemas = {}
    for name in sorted(os.listdir(SCHEMAS)):
        if name.endswith(".json"):
            with open(os.path.join(SCHEMAS, name), encoding="utf-8") as f:
                schema = json.load(f)
            schemas[schema["$id"]] = schema
    return schemas


class Validator:
    """One compiled validator per type."""

    def __init__(self):
        self.schemas = load_schemas()
        self.validators = {}

    def of(self, dataschema):
        if dataschema not in self.validators:
            schema = self.schemas.get(dataschema)
            if schema is None:
                return None
            resolver = jsonschema.RefResolver(dataschema, schema, store=self.schemas)
            self.validators[dataschema] = jsonschema.Draft202012Validator(
                schema, resolver=resolver, format_checker=jsonschema.FormatChecker()
            )
        return self.validators[dataschema]

    def findings(self, event):
        """Sentences about one parsed event; none when it is valid."""
        dataschema = event.get("dataschema") if isinstance(event, dict) else None
        validator = self.of(dataschema)
        if validator is None:
            return [f"no schema in control/schema is called {dataschema!r}"]
        return [
            f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(event)
        ]


def lines(paths):
    if not paths:
        yield from (("stdin", n, line) for n, line in enumerate(sys.stdin, 1))
    for path in paths:
        with open(path, encoding="utf-8") as f:
            yield from ((path, n, line) for n, line in enumerate(f, 1))


def main(paths):
    validator = Validator()
    n_events = n_findings = 0
    for where, n, line in lines(paths):
        if not line.strip():
            continue
        n_events += 1
        try:
            findings = validator.findings(json.loads(line))
        except ValueError as error:
            findings = [f"not JSON: {error}"]
        for finding in findings:
            n_findings += 1
            print(f"{where}:{n}: {finding}", file=sys.stderr)
    if n_events == 0:
        print("no trigger to check", file=sys.stderr)
    return 0 if n_events > 0 and n_findings == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
