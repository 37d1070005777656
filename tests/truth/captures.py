# SPDX-License-Identifier: BSD-3-Clause
"""Captures and the truth files that belong to them."""

import json
from pathlib import Path


def find_captures(top):
    """[(name, capture path, truth path or None)], sorted by name.

    Either top/truth/*.json, each naming its capture in "file"; or X.truth.json beside X.pcap."""
    found = {}
    if (top / "truth").is_dir():
        for truth_path in (top / "truth").glob("*.json"):
            name = json.loads(truth_path.read_text(encoding="utf-8"))["file"]
            found[name] = (name, top / name, truth_path)
    else:
        for path in top.rglob("*.pcap*"):
            if path.suffix in (".pcap", ".pcapng"):
                beside = (path.with_suffix(".truth.json"), Path(f"{path}.truth.json"))
                name = str(path.relative_to(top))
                found[name] = (name, path, next((t for t in beside if t.exists()), None))
        for truth_path in top.rglob("*.truth.json"):
            if not any(truth_path == entry[2] for entry in found.values()):
                name = str(truth_path.relative_to(top))
                found[name] = (name, truth_path.parent / "no capture", truth_path)
    return [found[name] for name in sorted(found)]
