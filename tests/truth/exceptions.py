# SPDX-License-Identifier: BSD-3-Clause
"""exceptions.yaml: the differences we know, each with its reason.

    exceptions:
      - capture: ndpi-4.2/x.pcap     # one capture and one check per entry
        check: proto
        got: HTTP                    # stated once for all flows of the entry …
        want: Unknown
        reason: why the difference is right, or whose limit it is
        flows:
          - tcp 10.0.0.1:1 10.0.0.2:2
      - capture: ndpi-4.2/y.pcap
        check: flow.packets
        reason: …
        flows:                       # … or for each flow
          tcp 10.0.0.1:1 10.0.0.2:2: {got: 1/0, want: 2/0}
      - capture: ndpi-4.2/z.pcap
        check: flow.extra
        reason: …
        count: 140                   # any flows, but exactly that many (got, want: optional)
      - capture: ndpi-4.2/w.pcap
        check: exit                  # a check on the whole capture has neither flows nor count
        got: 1
        want: 0
        reason: …

A difference that is not listed fails the suite. So does an entry that no longer occurs, an entry whose
got or want has changed, and an entry without a reason.
"""

from collections import defaultdict

import yaml

_KEYS = {"capture", "check", "reason", "flows", "count", "got", "want"}
_CHECKS_NEVER_EXCUSED = {"report", "outcomes"}


class BadExceptions(Exception):
    """The file contradicts its own rules; the text lists every mistake."""


class _Entry:
    def __init__(self, number, raw):
        self.number = number
        self.capture = raw["capture"]
        self.check = raw["check"]
        self.count = raw.get("count")
        self.got = self._text(raw, "got")
        self.want = self._text(raw, "want")
        flows = raw.get("flows")
        if isinstance(flows, dict):
            self.flows = {f: (self._text(v, "got"), self._text(v, "want")) for f, v in flows.items()}
        elif flows is not None:
            self.flows = {f: (self.got, self.want) for f in flows}
        else:
            self.flows = {} if self.count else {"": (self.got, self.want)}

    @staticmethod
    def _text(raw, key):
        return str(raw[key]) if key in raw else None

    def __str__(self):
        return f"entry {self.number} ({self.capture}, {self.check})"


def _mistakes(number, raw):
    if not isinstance(raw, dict):
        return [f"entry {number}: not a mapping"]
    where = f"entry {number} ({raw.get('capture')}, {raw.get('check')})"
    found = [f"{where}: no {key}" for key in ("capture", "check") if not raw.get(key)]
    found += [f"{where}: unknown key {key!r}" for key in raw.keys() - _KEYS]
    if not str(raw.get("reason") or "").strip():
        found.append(f"{where}: no reason")
    if raw.get("check") in _CHECKS_NEVER_EXCUSED:
        found.append(f"{where}: this check takes no exceptions")
    if "count" in raw and ("flows" in raw or not isinstance(raw["count"], int) or raw["count"] < 1):
        found.append(f"{where}: count is a number above 0, and not together with flows")
    flows = raw.get("flows")
    if "flows" in raw and not (isinstance(flows, (list, dict)) and flows):
        found.append(f"{where}: flows is a list or a mapping, and not empty")
    elif isinstance(flows, list) and len(set(flows)) < len(flows):
        found.append(f"{where}: the same flow twice")
    elif isinstance(flows, dict) and not all(isinstance(v, dict) and v for v in flows.values()):
        found.append(f"{where}: each flow needs got or want")
    return found


class Exceptions:
    def __init__(self, entries=()):
        self.by_capture = defaultdict(list)
        for entry in entries:
            self.by_capture[entry.capture].append(entry)

    @classmethod
    def parse(cls, text):
        data = yaml.safe_load(text) or {}
        if not isinstance(data, dict) or not isinstance(data.get("exceptions") or [], list):
            raise BadExceptions("not a mapping with a list under 'exceptions'")
        raws = data.get("exceptions") or []
        found = [m for number, raw in enumerate(raws, 1) for m in _mistakes(number, raw)]
        entries = [] if found else [_Entry(number, raw) for number, raw in enumerate(raws, 1)]
        seen = {}
        for entry in entries:
            for flow in entry.flows or {None: None}:
                place = (entry.capture, entry.check, flow)
                if place in seen:
                    found.append(f"{entry}: {flow or 'this'} is listed already in {seen[place]}")
                seen[place] = entry
        if found:
            raise BadExceptions("\n".join(found))
        return cls(entries)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as f:
            return cls.parse(f.read())

    def apply(self, capture, differences):
        """(listed, unlisted, stale): differences that are excused or not, and texts for entries that
        no longer hold."""
        left = list(differences)
        listed = []
        stale = []
        entries = self.by_capture.get(capture, [])
        for entry in sorted(entries, key=lambda e: e.count is not None):  # named ones first
            for flow, (got, want) in entry.flows.items():
                hit = next((d for d in left if _is_match(d, entry.check, got, want) and d.flow == flow), None)
                if hit is None:
                    stale.append(f"{entry}: {flow or 'it'} no longer differs that way (got {got}, want {want})")
                else:
                    left.remove(hit)
                    listed.append(hit)
            if entry.count is not None:
                hits = [d for d in left if _is_match(d, entry.check, entry.got, entry.want)]
                if len(hits) == entry.count:
                    left = [d for d in left if d not in hits]
                    listed += hits
                else:
                    stale.append(f"{entry}: {len(hits)} differences instead of {entry.count}")
        return listed, left, stale


def _is_match(difference, check, got, want):
    return difference.check == check and got in (None, difference.got) and want in (None, difference.want)


def draft(by_capture):
    """YAML text for {capture: [Difference]}, reasons left empty for a human."""
    entries = []
    for capture, differences in by_capture.items():
        groups = defaultdict(list)
        for d in differences:
            shared = (d.got, d.want) if d.check == "proto" else None
            groups[(d.check, shared, d.flow == "")].append(d)
        for (check, shared, is_whole), group in groups.items():
            entry = {"capture": capture, "check": check}
            if is_whole or shared:
                entry.update({"got": group[0].got, "want": group[0].want})
            entry["reason"] = ""
            if not is_whole and shared:
                entry["flows"] = [d.flow for d in group]
            elif not is_whole:
                entry["flows"] = {d.flow: {"got": d.got, "want": d.want} for d in group}
            entries.append(entry)
    return yaml.safe_dump({"exceptions": entries}, sort_keys=False, width=140, default_flow_style=None)
