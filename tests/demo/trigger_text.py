# SPDX-License-Identifier: BSD-3-Clause
"""One readable line for a trigger: when, what, who, and the facts that matter for its type."""


def megabytes(n_bytes):
    return f"{n_bytes / 1e6:.0f} MB"


def minutes(n_seconds):
    return f"{n_seconds / 60:.0f} min"


def fits(plans):
    return f"would fit: {', '.join(plans)}" if plans else "no plan would fit"


FACTS = {
    "app.session_started": lambda d: [d["app"], "has begun"],
    "app.session_ended": lambda d: [d["app"], minutes(d["duration_s"]), megabytes(d["bytes"])],
    "app.watched": lambda d: [
        d["app"],
        minutes(d["duration_s"]),
        f"{megabytes(d['bytes'])} ({d['bitrate_class']})",
    ],
    "competitor.interest": lambda d: [
        f"tag {d['tag']}",
        f"visits on {d['distinct_days']} days",
        f"score {d['score']}",
    ],
    "usage.threshold": lambda d: [
        f"{d['step_pct']:g} % reached",
        f"{megabytes(d['used_bytes'])} of {megabytes(d['cap_bytes'])}",
        f"{d['days_left']} days left",
    ],
    "usage.nudge": lambda d: [
        f"{d['pct']:.0f} % used",
        f"{d['days_left']} days left",
        fits(d["would_fit"]),
    ],
    "usage.cap_pattern": lambda d: [
        d["pattern"],
        " ".join(f"{cycle['pct']:.0f} %" for cycle in d["cycles"]),
        fits(d["would_fit"]),
    ],
}


def name_of(event):
    """wirecue.app.watched.v1 -> app.watched"""
    return event["type"].removeprefix("wirecue.").rsplit(".v", 1)[0]


def who(subject):
    """A pseudonym is 52 characters; eight tell people apart at a glance."""
    subject = subject.split(":", 1)[-1]
    return subject if len(subject) <= 16 else subject[:8] + "…"


def line_of(event):
    data = event["data"]
    facts = FACTS.get(name_of(event), lambda d: [])(data)
    return (
        f"{event['time'][:16].replace('T', ' ')}  {name_of(event):<19}  {who(event['subject']):<13}"
        f"  {', '.join(facts)}  [{data['class']}, {data['confidence']:.0f} % sure]"
    )
