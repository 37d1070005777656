# SPDX-License-Identifier: BSD-3-Clause
"""Which app the shipped catalogue gives a name: docs/catalogue.md read a second time, without the program under test.

Only hosts and tags: what networks, ports and nDPI say is no matter of names."""

from collections import namedtuple
from pathlib import Path

import yaml

SHIPPED = Path(__file__).resolve().parents[2] / "control" / "catalogue" / "apps.yaml"

App = namedtuple("App", "name category")


class Catalogue:
    def __init__(self, data):
        self.apps = {}  # name: App
        self._by_host = {}
        for raw in data["apps"]:
            app = App(raw["name"], raw["category"])
            self.apps[app.name] = app
            tagged = [host for hosts in (raw.get("tags") or {}).values() for host in hosts]
            for host in (raw.get("hosts") or []) + tagged:
                self._by_host[tuple(host.split("."))] = app

    @classmethod
    def load(cls, path=SHIPPED):
        with open(path, encoding="utf-8") as f:
            return cls(yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))

    def match(self, host):
        """The App of the longest run of whole labels at the end of host, or None."""
        labels = host.lower().removesuffix(".").split(".")
        for first in range(len(labels)):
            app = self._by_host.get(tuple(labels[first:]))
            if app is not None:
                return app
        return None

    def app_of_host(self, host):
        app = self.match(host)
        return app.name if app else None

    def category_of(self, app_name):
        """"" for what the catalogue does not have."""
        return self.apps[app_name].category if app_name in self.apps else ""
