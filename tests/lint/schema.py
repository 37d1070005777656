#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check control/schema, and that the documentation's examples are what the schemas say.

    schema.py              check; exit 1 and one line a mistake
    schema.py --events FILE   validate the events in FILE (one JSON object a line), as the tests' output must be
    schema.py --self-test  plant mistakes in copies of schemas and pages and insist that each is found

Each example is mutated (a field removed, of a wrong type, out of range, one too many) and must then be refused: a
schema that accepts everything would pass any example.
"""
import copy
import json
import pathlib
import re
import shutil
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "https://wirecue.example/schema/"
PAGES = ("docs/triggers.md", "docs/catalogue.md")  # where examples stand
TRIGGER_PAGE = PAGES[0]

OPTIONAL = frozenset(("test", "timing"))
NULLABLE = frozenset("basis projected_exhaustion day_reached cause_hint".split())
NUMBERS = frozenset("""pct step_pct confidence capture_loss unclassified unbound opaque
    slope_pct_per_cycle""".split())  # may have a fraction
SIGNED = frozenset(("slope_pct_per_cycle",))
FREE_TEXT = frozenset("bucket would_fit proto host".split())
MAPS = frozenset("outcomes triggers suppressed encapsulations refused".split())  # keys are data
COUNTED_FROM_ONE = frozenset("cap_bytes visits version day_reached step_pct".split())

# (type, path below the event, value): what a generic mutation cannot know to be wrong.
FORBIDDEN = [
    ("wirecue.app.session_started.v1", ("data", "class"), "upsell"),
    ("wirecue.app.session_ended.v1", ("data", "class"), "retention"),
    ("wirecue.usage.threshold.v1", ("data", "class"), "upsell"),
    ("wirecue.app.watched.v1", ("data", "class"), "marketing"),
    ("wirecue.app.watched.v1", ("data", "category"), "adult"),
    ("wirecue.app.watched.v1", ("data", "category"), "gambling"),
    ("wirecue.app.watched.v1", ("data", "category"), "health"),
    ("wirecue.app.watched.v1", ("data", "category"), "dating"),
    ("wirecue.app.watched.v1", ("data", "category"), "politics"),
    ("wirecue.app.watched.v1", ("data", "category"), "religion"),
    ("wirecue.app.watched.v1", ("data", "category"), "competitor"),
    ("wirecue.app.watched.v1", ("data", "category"), "own"),
    ("wirecue.app.watched.v1", ("data", "estimate"), False),
    ("wirecue.app.watched.v1", ("data", "hour"), 24),
    ("wirecue.app.watched.v1", ("data", "flows"), 0),
    ("wirecue.app.watched.v1", ("data", "evidence", "known_by"), ["address", "port"]),
    ("wirecue.app.watched.v1", ("data", "evidence", "known_by"), []),
    ("wirecue.app.watched.v1", ("data", "evidence", "known_by"), ["sni", "sni"]),
    ("wirecue.app.watched.v1", ("data", "confidence"), 101),
    ("wirecue.app.watched.v1", ("data", "coverage", "opaque"), 1.01),
    ("wirecue.app.watched.v1", ("time",), "2026-03-05T21:54:38+01:00"),
    ("wirecue.app.watched.v1", ("time",), "2026-13-05T21:54:38Z"),
    ("wirecue.app.watched.v1", ("sequence",), "00000000000000000000"),
    ("wirecue.app.watched.v1", ("sequence",), "58"),
    ("wirecue.app.watched.v1", ("test",), False),
    ("wirecue.app.watched.v1", ("type",), "wirecue.app.session_ended.v1"),
    ("wirecue.app.watched.v1", ("dataschema",), BASE + "wirecue.app.session_ended.v1.json"),
    ("wirecue.competitor.interest.v1", ("data", "app"), "rival-mobile"),
    ("wirecue.competitor.interest.v1", ("data", "host"), "plans.rival-mobile.example"),
    ("wirecue.competitor.interest.v1", ("data", "tag"), "rival-mobile"),
    ("wirecue.competitor.interest.v1", ("data", "tags"), []),
    ("wirecue.competitor.interest.v1", ("data", "score"), 101),
    ("wirecue.competitor.interest.v1", ("data", "distinct_days"), 0),
    ("wirecue.competitor.interest.v1", ("data", "evidence", "known_by"), ["port"]),
    ("wirecue.usage.threshold.v1", ("data", "step_pct"), 101),
    ("wirecue.usage.cap_pattern.v1", ("data", "pattern"), "seldom"),
    ("wirecue.usage.cap_pattern.v1", ("data", "cause_hint"), "netflix"),
    ("wirecue.usage.cap_pattern.v1", ("data", "cycles"), []),
]

# Likewise what must stay possible: a schema that refuses everything would pass all of the above.
ALLOWED = [
    ("wirecue.app.watched.v1", ("test",), True),
    ("wirecue.app.watched.v1", ("subject",), "+99900000001"),
    ("wirecue.app.watched.v1", ("time",), "2026-03-05T21:54:38.123456789Z"),
    ("wirecue.app.watched.v1", ("data", "class"), "retention"),
    ("wirecue.app.watched.v1", ("data", "category"), "sports"),
    ("wirecue.app.watched.v1", ("data", "basis"), None),
    ("wirecue.app.watched.v1", ("data", "coverage", "opaque"), 1),
    ("wirecue.app.watched.v1", ("data", "evidence", "known_by"), ["dns", "port"]),
    ("wirecue.competitor.interest.v1", ("data", "tag"), "store_locator"),
    ("wirecue.competitor.interest.v1", ("data", "tags"), ["port_in", "plans", "store_locator", "brand"]),
    ("wirecue.usage.threshold.v1", ("data", "step_pct"), 62.5),
    ("wirecue.usage.threshold.v1", ("data", "pct"), 140),
    ("wirecue.usage.threshold.v1", ("data", "projected_exhaustion"), None),
    ("wirecue.usage.threshold.v1", ("data", "evidence", "known_by"), []),
    ("wirecue.usage.nudge.v1", ("data", "would_fit"), []),
    ("wirecue.usage.cap_pattern.v1", ("data", "pattern"), "one_off"),
    ("wirecue.usage.cap_pattern.v1", ("data", "pattern"), "emerging"),
    ("wirecue.usage.cap_pattern.v1", ("data", "slope_pct_per_cycle"), -3.25),
    ("wirecue.usage.cap_pattern.v1", ("data", "cause_hint"), "one_app"),
    ("report", ("suppressed",), {"near-cap": {"G14": 2, "history_short": 1}}),
    ("report", ("triggers",), {}),
    ("flows", ("endpoint",), "2001:db8:20:1::/64"),
    ("flows", ("category",), ""),
    ("flows", ("evidence",), "none"),
    ("flows", ("host",), ""),
]


class Schemas:
    def __init__(self, directory, mistakes):
        self.by_name = {}
        for path in sorted(directory.glob("*.json")):
            try:
                self.by_name[path.name] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as err:
                mistakes.append(f"{path.name}: not JSON: {err}")
        # A local store: nothing is ever fetched. An unknown reference is an error of the resolver.
        self.store = {BASE + name: schema for name, schema in self.by_name.items()}

    def types(self):
        return sorted(name[:-5] for name in self.by_name if name.startswith("wirecue."))

    def validator(self, name):
        schema = self.by_name[name]
        resolver = jsonschema.RefResolver(BASE + name, schema, store=self.store)
        return jsonschema.Draft202012Validator(schema, resolver=resolver)

    def resolve(self, name, node):
        """What a $ref points to; every one of ours is FILE#/$defs/NAME or #/$defs/NAME."""
        while "$ref" in node:
            file_name, _, pointer = node["$ref"].partition("#")
            name = file_name or name
            node = self.by_name[name]
            for part in pointer.split("/")[1:]:
                node = node[part]
        return name, node


def check_form(schemas, mistakes):
    """Each schema is a schema, bears its own name, and leaves no property undescribed or object open."""
    for name, schema in schemas.by_name.items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as err:
            mistakes.append(f"{name}: against its metaschema: {err.message}")
            continue
        if schema.get("$id") != BASE + name:
            mistakes.append(f"{name}: $id is '{schema.get('$id')}', expected '{BASE}{name}'")
        if "SPDX-License-Identifier: BSD-3-Clause" not in schema.get("$comment", ""):
            mistakes.append(f"{name}: $comment does not state the licence")
        walk(name, schema, "", mistakes)
        if name.startswith("wirecue."):
            data = schema.get("properties", {}).get("data", {})
            missing = set(data.get("properties", {})) - set(data.get("required", ()))
            if missing:
                mistakes.append(f"{name}: {sorted(missing)} of data are not required")


def walk(name, node, where, mistakes):
    if isinstance(node, list):
        for i, item in enumerate(node):
            walk(name, item, f"{where}/{i}", mistakes)
    if not isinstance(node, dict):
        return
    is_open_by_design = where == "" and "allOf" in node or where == "/properties/data" and name == "trigger.json"
    if node.get("type") == "object" and "additionalProperties" not in node and not is_open_by_design:
        mistakes.append(f"{name}:{where}: additionalProperties is missing, the object is open")
    for key, child in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
        if "description" not in child and "contains" not in child:
            mistakes.append(f"{name}:{where}/properties/{key}: has no description")
        if not child.keys() & {"type", "$ref", "const", "enum", "oneOf", "allOf", "contains"}:
            mistakes.append(f"{name}:{where}/properties/{key}: says nothing about its type")
    for key, child in node.items():
        if key not in ("enum", "const", "required"):
            walk(name, child, f"{where}/{key}", mistakes)


def examples(root, mistakes):
    """[(where, parsed)] of every fenced json block on the pages."""
    found = []
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```json\n(.*?)^```$", text, re.M | re.S):
            where = f"{page}:{text.count(chr(10), 0, match.start()) + 2}"
            try:
                found.append((where, json.loads(match.group(1))))
            except ValueError as err:
                mistakes.append(f"{where}: not JSON: {err}")
    return found


def schema_of(example):
    if "specversion" in example:
        return f"{example.get('type')}.json"
    return "report.json" if "outcomes" in example else "flows.json"


def wrong_values(key, value):
    """Values that must not stand in place of this one."""
    if not (value is None or key in NULLABLE):
        yield None
    if isinstance(value, bool):
        yield from ("true", 1)
    elif isinstance(value, (int, float)):
        yield from (str(value), True, [])
        if key not in NUMBERS:
            yield 0.5
        if key not in SIGNED:
            yield -1
        if key in COUNTED_FROM_ONE:
            yield 0
    elif isinstance(value, str):
        yield from (7, True, [value])
        if key not in FREE_TEXT:
            yield value + "\nx"
    elif isinstance(value, list):
        yield from ({}, "text", value + [{"unheard": "of"}])
    elif isinstance(value, dict):
        yield from ([], "text", 7)


def mutations(value, key="", path=()):
    """(path, what was done, replacement for the value at path or DELETE)."""
    if path:
        for wrong in wrong_values(key, value):
            yield path, f"is {json.dumps(wrong)[:40]}", wrong
    if isinstance(value, dict):
        is_map = path[-1:] and path[-1] in MAPS or path[-2:-1] == ("suppressed",)  # that one by rule and reason
        yield path + ("Not A Name!",), "is added", 1
        for name, child in value.items():
            if not is_map and name not in OPTIONAL:
                yield path + (name,), "is removed", DELETE
            yield from mutations(child, name if not is_map or key == "suppressed" else "count", path + (name,))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from mutations(child, key, path + (i,))


DELETE = object()


def changed(example, path, replacement):
    result = copy.deepcopy(example)
    node = result
    for part in path[:-1]:
        node = node[part]
    if replacement is DELETE:
        del node[path[-1]]
    else:
        node[path[-1]] = replacement
    return result


def check_examples(schemas, root, mistakes):
    n_mutations = 0
    seen = {}
    for where, example in examples(root, mistakes):
        name = schema_of(example)
        if name not in schemas.by_name:
            mistakes.append(f"{where}: the example fits no schema ('{name}')")
            continue
        seen.setdefault(name, example)
        validator = schemas.validator(name)
        errors = [f"/{'/'.join(map(str, err.absolute_path))}: {err.message}" for err in validator.iter_errors(example)]
        mistakes.extend(f"{where}: {line[:200]}" for line in errors)
        if errors:
            continue
        planted = list(mutations(example))
        planted += [(path, f"is {json.dumps(value)}", value)
                    for kind, path, value in FORBIDDEN if name == kind + ".json"]
        if "specversion" in example:
            planted.append((("type",), "is another's", "wirecue.app.other.v1"))
            planted.append((("dataschema",), "is another's", BASE + "wirecue.app.other.v1.json"))
        for path, done, replacement in planted:
            n_mutations += 1
            if validator.is_valid(changed(example, path, replacement)):
                mistakes.append(f"{where}: {name} still accepts it when /{'/'.join(map(str, path))} {done}")
        for kind, path, value in ALLOWED:
            if name == kind + ".json" and not validator.is_valid(changed(example, path, value)):
                mistakes.append(f"{where}: {name} refuses it when /{'/'.join(map(str, path))} is {json.dumps(value)}")
    for name in [kind + ".json" for kind in schemas.types()] + ["report.json", "flows.json"]:
        if name not in seen:
            mistakes.append(f"{name}: no example on {' or '.join(PAGES)}")
    return n_mutations


def check_page(schemas, root, mistakes):
    """Every field is explained where its type is: in backticks in the type's section, or in the common one."""
    text = (root / TRIGGER_PAGE).read_text(encoding="utf-8")
    sections = dict(re.findall(r"^#{2,3} (.*?)\n(.*?)(?=^#{2,3} |\Z)", text, re.M | re.S))
    words = {title: set(re.findall(r"`([a-z_0-9]+)`", re.sub(r"^```.*?^```$", "", body, flags=re.M | re.S)))
             for title, body in sections.items()}
    common = words.get("What every `data` has", set())
    for field in schemas.by_name.get("trigger.json", {}).get("properties", {}):
        if field not in words.get("The envelope", set()):
            mistakes.append(f"{TRIGGER_PAGE}: envelope field '{field}' is not explained")
    for kind in schemas.types():
        if kind not in sections:
            mistakes.append(f"{TRIGGER_PAGE}: no section '### {kind}'")
            continue
        for field in schemas.by_name[kind + ".json"]["properties"]["data"]["properties"]:
            if field not in words[kind] | common:
                mistakes.append(f"{TRIGGER_PAGE}: '{field}' of {kind} is not explained")


def check(root):
    mistakes = []
    schemas = Schemas(root / "control/schema", mistakes)
    check_form(schemas, mistakes)
    if mistakes:  # a broken schema makes every example fail: say the cause alone
        return mistakes, 0
    n_mutations = check_examples(schemas, root, mistakes)
    check_page(schemas, root, mistakes)
    return mistakes, n_mutations


def check_events(path):
    mistakes = []
    schemas = Schemas(ROOT / "control/schema", mistakes)
    n_events = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        event = json.loads(line)
        name = schema_of(event)
        n_events += 1
        if name not in schemas.by_name:
            mistakes.append(f"{path}:{number}: no schema '{name}'")
            continue
        mistakes += [f"{path}:{number}: {name}: /{'/'.join(map(str, err.absolute_path))}: {err.message[:200]}"
                     for err in schemas.validator(name).iter_errors(event)]
    if n_events == 0:
        mistakes.append(f"{path}: no event at all")
    return mistakes


# (file, text, planted instead, words that the report must have)
PLANTED = [
    ("control/schema/trigger.json", '"type": "object"', '"type": "nothing"', "metaschema"),
    ("control/schema/trigger.json", '"$id": "https://wirecue.example/schema/trigger.json"', '"$id": "urn:x"', "$id is"),
    ("control/schema/trigger.json", "BSD-3-Clause", "none", "licence"),
    ("control/schema/trigger.json", '      "additionalProperties": false', '      "maxProperties": 99', "object is open"),
    ("control/schema/trigger.json", '"recordedtime",', "", "when /recordedtime is removed"),
    ("control/schema/trigger.json", '"maximum": 100', '"maximum": 1000', "/data/confidence is 101"),
    ("control/schema/wirecue.app.watched.v1.json", '          "description": "Flows joined into the session. Count.",\n',
     "", "flows: has no description"),
    ("control/schema/wirecue.app.watched.v1.json", '"minimum": 0,\n          "maximum": 23', '"minimum": 0', "/data/hour is 24"),
    ("control/schema/wirecue.app.watched.v1.json", '        "hour",\n', "", "['hour'] of data are not required"),
    ("control/schema/wirecue.app.watched.v1.json", '"hour": {', '"our": {', "of data are not required"),
    ("control/schema/wirecue.usage.nudge.v1.json", '"const": "wirecue.usage.nudge.v1"', '"type": "string"',
     "when /type is"),
    ("control/schema/wirecue.competitor.interest.v1.json", '"store_locator",', "", "refuses it when /data/tag is"),
    ("control/schema/report.json", '"propertyNames"', '"$comment"', "metaschema"),
    ("docs/triggers.md", '"hour": 22,', "", "'hour' is a required property"),
    ("docs/triggers.md", '"mean_kbps": 3996', '"mean_kbps": "3996"', "is not of type 'integer'"),
    ("docs/triggers.md", '"specversion": "1.0",', '"specversion": "1.0"', "not JSON"),
    ("docs/triggers.md", '"type": "wirecue.app.watched.v1"', '"type": "wirecue.app.seen.v1"', "fits no schema"),
    ("docs/triggers.md", "| `flows` | flows joined", "| flows | flows joined", "'flows' of wirecue.app.session_ended.v1"),
    ("docs/triggers.md", "| `recordedtime` |", "| recordedtime |", "envelope field 'recordedtime'"),
    ("docs/triggers.md", "### wirecue.app.watched.v1", "### watched", "no section"),
    ("docs/catalogue.md", '"first_ns"', '"first"', "first_ns"),
]


def self_test():
    failures = []
    for file_name, text, planted, expected in PLANTED:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            shutil.copytree(ROOT / "control/schema", root / "control/schema")
            (root / "docs").mkdir()
            for page in PAGES:
                shutil.copy(ROOT / page, root / page)
            original = (root / file_name).read_text(encoding="utf-8")
            if text not in original:
                failures.append(f"{file_name} no longer has '{text}': nothing was planted")
                continue
            (root / file_name).write_text(original.replace(text, planted, 1), encoding="utf-8")
            mistakes, _ = check(root)
            if not any(expected in line for line in mistakes):
                failures.append(f"{file_name}: '{planted}' was not found as \"{expected}\": {mistakes[:3]}")
    for line in failures:
        print(f"self-test: {line}")
    print(f"self-test: {len(PLANTED)} planted, {len(failures)} failures")
    return 1 if failures else 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    if len(args) == 2 and args[0] == "--events":
        mistakes = check_events(pathlib.Path(args[1]))
    elif args:
        print(__doc__, file=sys.stderr)
        return 2
    else:
        mistakes, n_mutations = check(ROOT)
        print(f"{n_mutations} mutated examples tried")
    for line in mistakes:
        print(line)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
