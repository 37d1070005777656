#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Parts of a replay report (wirecue replay --json) for people.

  report.py usage FILE      a table: megabytes by subscriber and the five largest apps
  report.py withheld FILE   what was not published, and what the reason codes mean"""

import collections
import json
import sys

from trigger_text import who

N_APPS = 5

MEANING = {
    "G1": "switched off: kill switch, rule disabled, or dry run",
    "G2": "no consent for the rule's purpose, or withdrawn, or expired",
    "G3": "excluded line: M2M, corporate, minor, staff, regulated; or nothing known of it",
    "G4": "sensitive category, never published",
    "G5": "subscriber unknown or ambiguous",
    "G6": "too little was seen of the traffic in that window",
    "G7": "not sure enough, or known by address or port alone",
    "G8": "open complaint, until resolved + 72 h",
    "G9": "service degradation, until recovered + 24 h",
    "G10": "bill shock, until the end of the next cycle",
    "G11": "declined the same family of offers",
    "G12": "contacted too often already",
    "G13": "an offer of the same family is pending",
    "G14": "cooldown: said already in this window",
    "G15": "too late to matter in this cycle",
    "G16": "storm: the rule fires far above its usual rate",
    "history_short": "fewer than two earlier cycles are known",
}


def table(rows):
    """Columns padded; the first one to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells))


def usage(report):
    by_subscriber = collections.defaultdict(collections.Counter)
    by_app = collections.Counter()
    for entry in report["usage"]:
        n_bytes = entry["up_bytes"] + entry["down_bytes"]
        is_bound = not entry["subscriber"].startswith("endpoint:")
        name = who(entry["subscriber"]) if is_bound else "(nobody known)"
        by_subscriber[name][entry["app"]] += n_bytes
        by_app[entry["app"]] += n_bytes
    apps = [app for app, _ in by_app.most_common(N_APPS)]
    rows = [["MB", *apps, "others", "total"]]
    for name in sorted(by_subscriber):
        used = by_subscriber[name]
        total = sum(used.values())
        figures = [used[app] for app in apps]
        figures += [total - sum(figures), total]
        rows.append([name, *(f"{n / 1e6:.1f}" if n else "-" for n in figures)])
    table(rows)


def withheld(report):
    used = {}
    for rule, reasons in sorted(report["suppressed"].items()):
        for reason, count in sorted(reasons.items()):
            print(f"  {rule:<16} {reason:<14} {count:>4}")
            used[reason] = MEANING.get(reason, "see docs/signals.md")
    for reason, meaning in sorted(used.items()):
        print(f"    {reason}: {meaning}")
    if not used:
        print("  nothing")


def main(argv):
    parts = {"usage": usage, "withheld": withheld}
    if len(argv) != 2 or argv[0] not in parts:
        print(__doc__, file=sys.stderr)
        return 2
    with open(argv[1], encoding="utf-8") as f:
        parts[argv[0]](json.load(f))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
