#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compute the test vectors of docs/subject.md again, with nothing of ours.

    subject.py    one line a wrong vector; exit 1 if there is any, or none to check
"""
import base64
import hashlib
import hmac
import pathlib
import re
import sys

ROW = re.compile(r"\| `([0-9a-f]+)` \| `([^`]+)` \| `([^`]+)` \| `([a-z2-7]{52})` \|")


def main():
    page = pathlib.Path(__file__).resolve().parents[2] / "docs/subject.md"
    rows = ROW.findall(page.read_text(encoding="utf-8"))
    wrong = 0
    for key, identifier, canonical, subject in rows:
        mac = hmac.new(bytes.fromhex(key), canonical.encode(), hashlib.sha256).digest()
        expected = base64.b32encode(mac).decode().rstrip("=").lower()
        if subject != expected:
            print(f"docs/subject.md: '{identifier}': '{subject}', expected {expected}")
            wrong += 1
    if not rows:
        print("docs/subject.md: no vectors, expected a table of them")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
