# SPDX-License-Identifier: BSD-3-Clause
"""What the demo's offer engine does: docs/examples/consumer.py --act act.py."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from trigger_text import line_of

ids = open(os.environ["WIRECUE_DEMO_IDS"], "w", encoding="utf-8")


def act(event):
    """A line for people; the id where the demo's verdict counts."""
    print(f"stream   {line_of(event)}", flush=True)
    print(event["id"], file=ids, flush=True)
    return "shown"
