#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check the shipped app catalogue: what the parser accepts is not yet what we want to ship.

    catalogue.py [FILE]     check the catalogue; exit 1 and one line a mistake, `file:line: what, what would be right`
    catalogue.py --ndpi     compare the committed list of protocol names with ndpiReader's; exit 77 without ndpiReader
    catalogue.py --self-test  plant each kind of mistake in a copy and insist that it is found
"""
import ipaddress
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "control/catalogue/apps.yaml"
PROTOCOLS = ROOT / "tests/lint/ndpi-4.2-protocols.txt"

CATEGORIES = frozenset("""streaming music social messaging games cloud web assistants vpn relay conferencing mail
    shopping news finance maps travel work education iot speedtest software ads p2p remote network adult gambling health
    dating competitor own""".split())
REQUIRED_CATEGORIES = frozenset("streaming social messaging music games cloud web vpn competitor own".split())
KEYS = frozenset("name category ndpi hosts tags nets ports".split())
TAGS = {
    "competitor": frozenset("plans port_in store_locator".split()),
    "own": frozenset("shop plans account device cancel support topup".split()),
}
MIN_APPS = 100

# Carriers, not services: whoever claims one of these takes every unmatched name out of `unknown`.
GENERIC = frozenset("Unknown HTTP HTTP_Connect HTTP_Proxy TLS DTLS QUIC WebSocket FREE_64".split())

# RFC 2606, RFC 6761: the only names under which an invented company may live.
RESERVED = ("example", "test", "invalid", "example.com", "example.net", "example.org")

# Suffixes under which everybody registers: a host this short would swallow a country. Not the whole public suffix
# list, but the ones a slip of the hand produces.
PUBLIC_SUFFIXES = frozenset("""co.uk org.uk ac.uk gov.uk com.br com.au com.mx com.tr com.ar com.cn com.hk com.tw com.sg
    com.my com.pl com.ua co.jp co.kr co.in co.za co.nz co.id co.il co.th or.at co.at gen.tr""".split())

# Delivery for everybody: the bare suffix belongs to `cdn` and to no brand.
SHARED_CDN = frozenset("""akamai.net akamaihd.net akamaized.net akamaiedge.net akadns.net edgekey.net edgesuite.net
    cloudfront.net fastly.net fastlylb.net edgecastcdn.net llnwd.net llnwi.net footprint.net hwcdn.net
    stackpathcdn.com b-cdn.net jsdelivr.net live-video.net uplynk.com nsatc.net""".split())

# Address ranges that one service alone uses, with the source of that knowledge.
OWNED_NETS = {
    "telegram": [  # core.telegram.org/resources/cidr.txt
        "149.154.160.0/20", "91.108.4.0/22", "91.108.8.0/22", "91.108.12.0/22", "91.108.16.0/22", "91.108.56.0/22",
        "2001:67c:4e8::/48", "2001:b28:f23d::/48", "2001:b28:f23f::/48",
    ],
}
# Documentation (RFC 5737, RFC 3849), private (RFC 1918, RFC 6598, RFC 4193).
FREE_NETS = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "10.0.0.0/8", "172.16.0.0/12",
             "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
PORT = re.compile(r"(udp|tcp):([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?\Z")


class Checker:
    """Reads one catalogue through PyYAML's node tree, which keeps lines, and collects every mistake."""

    def __init__(self, path, protocols):
        self.path = path
        self.protocols = protocols
        self.mistakes = []
        self.names = {}
        self.hosts = {}
        self.ndpi = {}
        self.ports = []
        self.nets = []
        self.categories = set()

    def mistake(self, node, text):
        line = node.start_mark.line + 1 if node is not None else 1
        self.mistakes.append(f"{self.path}:{line}: {text}")

    def mapping(self, node, what):
        """The key: value nodes of a mapping. A second key of the same name would silently win: a mistake."""
        if not isinstance(node, yaml.MappingNode):
            self.mistake(node, f"{what} is not a mapping")
            return {}
        found = {}
        for key, value in node.value:
            if key.value in found:
                self.mistake(key, f"'{key.value}' stands twice in {what}")
            found[key.value] = value
        return found

    def strings(self, node, what):
        if not isinstance(node, yaml.SequenceNode):
            self.mistake(node, f"{what} is not a list")
            return
        if not node.value:
            self.mistake(node, f"{what} is empty: leave the key out")
        for item in node.value:
            # A plain 853 or 1.5 would be a number for the parser.
            if not isinstance(item, yaml.ScalarNode) or item.tag != "tag:yaml.org,2002:str":
                self.mistake(item, f"{what}: an entry is not a string")
                continue
            yield item

    def run(self):
        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as err:
            self.mistakes.append(f"{self.path}:1: not YAML: {' '.join(str(err).split())}")
            return self.mistakes
        top = self.mapping(root, "the file")
        if set(top) != {"apps"}:
            self.mistake(root, f"top level is {sorted(top)}, expected 'apps' alone")
        apps = top.get("apps")
        if not isinstance(apps, yaml.SequenceNode):
            self.mistake(root, "'apps' is not a list")
            return self.mistakes
        for node in apps.value:
            self.app(node)
        self.whole(root, len(apps.value))
        return self.mistakes

    def app(self, node):
        fields = self.mapping(node, "the app")
        for key in fields.keys() - KEYS:
            self.mistake(fields[key], f"unknown key '{key}', expected one of {', '.join(sorted(KEYS))}")
        name = getattr(fields.get("name"), "value", "")
        category = getattr(fields.get("category"), "value", "")
        if not isinstance(name, str) or not NAME.match(name):
            self.mistake(node, f"app name '{name}', expected [a-z0-9-]+")
        elif name in self.names:
            self.mistake(node, f"app '{name}' stands in line {self.names[name]} already")
        else:
            self.names[name] = node.start_mark.line + 1
        if category not in CATEGORIES:
            self.mistake(node, f"category '{category}' of '{name}' is not known")
        self.categories.add(category)
        if not fields.keys() & {"ndpi", "hosts", "tags", "nets", "ports"}:
            self.mistake(node, f"'{name}' has nothing to be recognised by")
        own_hosts = self.plain_hosts(fields, name, category)
        self.tags(fields, name, category)
        self.redundant(own_hosts)
        if "ndpi" in fields:
            for item in self.strings(fields["ndpi"], "ndpi"):
                self.protocol(item, name)
        if "nets" in fields:
            for item in self.strings(fields["nets"], "nets"):
                self.net(item, name)
        if "ports" in fields:
            for item in self.strings(fields["ports"], "ports"):
                self.port(item, name)

    def plain_hosts(self, fields, name, category):
        hosts = []
        if "hosts" in fields:
            for item in self.strings(fields["hosts"], "hosts"):
                self.host(item, name, category)
                hosts.append(item)
        return hosts

    def tags(self, fields, name, category):
        if "tags" not in fields:
            return
        for tag, hosts in self.mapping(fields["tags"], "tags").items():
            if tag not in TAGS.get(category, ()):
                self.mistake(hosts, f"tag '{tag}' means nothing in category '{category}'")
            for item in self.strings(hosts, f"tag '{tag}'"):
                self.host(item, name, category)

    def redundant(self, hosts):
        """www.x.com beside x.com in one app changes nothing, and hides what the app is made of."""
        texts = {item.value for item in hosts}
        for item in hosts:
            labels = item.value.split(".")
            for i in range(1, len(labels)):
                parent = ".".join(labels[i:])
                if parent in texts:
                    self.mistake(item, f"host '{item.value}' is covered by '{parent}' of the same app")

    def host(self, item, name, category):
        host = item.value
        labels = host.split(".")
        if len(host) > 253 or not all(LABEL.match(label) for label in labels):
            self.mistake(item, f"host '{host}', expected a DNS name in lower case without wildcard")
            return
        if len(labels) < 2 or host in PUBLIC_SUFFIXES or labels[-1].isdigit():
            self.mistake(item, f"host '{host}' is not a registered name")
            return
        if host in self.hosts:
            self.mistake(item, f"host '{host}' stands in line {self.hosts[host]} already")
        self.hosts.setdefault(host, item.start_mark.line + 1)
        if host in SHARED_CDN and name != "cdn":
            self.mistake(item, f"host '{host}' serves everybody, expected it in app 'cdn'")
        if category in TAGS and not host.endswith(tuple("." + suffix for suffix in RESERVED)):
            self.mistake(item, f"host '{host}' of category '{category}' is not under a reserved domain")

    def protocol(self, item, name):
        protocol = item.value
        if protocol not in self.protocols:
            self.mistake(item, f"nDPI 4.2 knows no protocol '{protocol}'")
        elif protocol in GENERIC:
            self.mistake(item, f"'{protocol}' is a carrier, no app may claim it")
        elif protocol in self.ndpi:
            self.mistake(item, f"'{protocol}' belongs to '{self.ndpi[protocol]}' already")
        self.ndpi.setdefault(protocol, name)

    def net(self, item, name):
        try:
            net = ipaddress.ip_network(item.value, strict=True)
        except ValueError:
            self.mistake(item, f"net '{item.value}', expected a prefix without host bits")
            return
        allowed = [ipaddress.ip_network(text) for text in FREE_NETS + OWNED_NETS.get(name, [])]
        if not any(net.version == other.version and net.subnet_of(other) for other in allowed):
            self.mistake(item, f"net '{item.value}' is not known to belong to '{name}' alone")
        for other in self.nets:
            if net.version == other.version and net.overlaps(other):
                self.mistake(item, f"net '{item.value}' overlaps '{other}'")
        self.nets.append(net)

    def port(self, item, name):
        match = PORT.match(item.value)
        first, last = (int(match.group(2)), int(match.group(3) or match.group(2))) if match else (1, 0)
        if first > last or last > 65535:
            self.mistake(item, f"port '{item.value}', expected udp:N, tcp:N or udp:FIRST-LAST")
            return
        for l4, other_first, other_last, other in self.ports:
            if l4 == match.group(1) and first <= other_last and other_first <= last:
                self.mistake(item, f"port '{item.value}' belongs to '{other}' already")
        self.ports.append((match.group(1), first, last, name))

    def whole(self, root, n_apps):
        if n_apps < MIN_APPS:
            self.mistake(root, f"{n_apps} apps, expected at least {MIN_APPS}")
        for category in sorted(REQUIRED_CATEGORIES - self.categories):
            self.mistake(root, f"no app of category '{category}'")
        for protocol in sorted(self.protocols - GENERIC - self.ndpi.keys()):
            self.mistake(root, f"no app claims nDPI's '{protocol}'")


def read_protocols():
    lines = PROTOCOLS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def check(path):
    return Checker(path, read_protocols()).run()


def compare_with_library():
    if shutil.which("ndpiReader") is None:
        print("skipped: ndpiReader is not installed (Debian package libndpi-bin)")
        return 77
    # The help ends with the table of protocols ("  5 DNS  TCP/UDP  Acceptable  Network"), then that of risks.
    text = subprocess.run(["ndpiReader", "-h"], capture_output=True, text=True, check=False).stdout
    table = text.partition("nDPI supported protocols:")[2].partition("nDPI supported risks:")[0]
    found = set(re.findall(r"^ *\d+ (\S+)", table, re.M))
    missing = sorted(read_protocols() - found)
    added = sorted(found - read_protocols())
    for name in missing:
        print(f"{PROTOCOLS}: '{name}' is not in the installed nDPI")
    for name in added:
        print(f"{PROTOCOLS}: '{name}' of the installed nDPI is missing")
    return 1 if missing or added else 0


# (what is planted: text, its replacement, words the report must have). An empty text appends.
PLANTED = [
    ("apps:\n", "apps: [\n", "not YAML"),
    ("apps:\n", "version: 1\napps:\n", "top level"),
    ("name: netflix\n", "name: NetFlix\n", "app name 'NetFlix'"),
    ("name: hulu\n", "name: netflix\n", "app 'netflix' stands in line"),
    ("    category: streaming\n", "    category: film\n", "category 'film'"),
    ("    category: streaming\n", "    category: streaming\n    category: music\n", "'category' stands twice"),
    ("    category: streaming\n", "    category: streaming\n    host: [a.example]\n", "unknown key 'host'"),
    ("[hulu.com,", "[netflix.com,", "host 'netflix.com' stands in line"),
    ("plans: [plans.rival-fibre.example]", "plans: [rival-fibre.example]", "host 'rival-fibre.example' stands in"),
    ("[hulu.com,", "[Hulu.com,", "host 'Hulu.com'"),
    ("[hulu.com,", "['*.hulu.com',", "host '*.hulu.com'"),
    ("[hulu.com,", "[hulu..com,", "host 'hulu..com'"),
    ("[hulu.com,", "[192.0.2.1,", "host '192.0.2.1' is not a registered name"),
    ("[hulu.com,", "[co.uk,", "host 'co.uk' is not a registered name"),
    ("[hulu.com,", "[com,", "host 'com' is not a registered name"),
    ("[hulu.com,", "[hulu.com, www.hulu.com,", "covered by 'hulu.com'"),
    ("[hulu.com,", "[hulu.com, 853,", "an entry is not a string"),
    ("hosts: [crunchyroll.com, vrv.co, funimation.com]", "hosts: []", "hosts is empty"),
    ("hosts: [peacocktv.com]", "hosts: peacocktv.com", "hosts is not a list"),
    ("    hosts: [peacocktv.com]\n", "", "nothing to be recognised by"),
    ("edgesuite.net, cloudfront.net,", "edgesuite.net,", None),
    ("[peacocktv.com]", "[peacocktv.com, b-cdn.net]", "expected it in app 'cdn'"),
    ("ndpi: [NetFlix]", "ndpi: [Netflix]", "no protocol 'Netflix'"),
    ("ndpi: [NetFlix]", "ndpi: [NetFlix, TLS]", "'TLS' is a carrier"),
    ("ndpi: [NetFlix]", "ndpi: [NetFlix, Hulu]", "'Hulu' belongs to 'netflix' already"),
    ("ndpi: [Tumblr]\n", "ndpi: [Reddit]\n", "no app claims nDPI's 'Tumblr'"),
    ("149.154.160.0/20", "149.154.160.1/20", "without host bits"),
    ("149.154.160.0/20", "8.8.8.0/24", "not known to belong to 'telegram'"),
    ("91.108.8.0/22", "91.108.4.0/23", "overlaps"),
    ("ports: [udp:51820]", "ports: [udp:51820, udp:65536]", "port 'udp:65536'"),
    ("ports: [udp:51820]", "ports: [sctp:1]", "port 'sctp:1'"),
    ("ports: [udp:51820]", "ports: [udp:53]", "port 'udp:53' belongs to"),
    ("ports: [udp:51820]", "ports: [udp:50-60]", "port 'udp:53' belongs to"),
    ("ports: [udp:51820]", "ports: [udp:51821-51820]", "port 'udp:51821-51820'"),
    ("ports: [udp:51820]", "ports: [udp:51820-51821]", None),
    ("[rival-fibre.example]", "[rival-fibre.net]", "not under a reserved domain"),
    ("      port_in: [switch.rival-fibre", "      portin: [switch.rival-fibre", "tag 'portin' means nothing"),
    ("category: own\n", "category: web\n", "no app of category 'own'"),
]


def self_test():
    original = CATALOGUE.read_text(encoding="utf-8")
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "apps.yaml"
        for text, planted, expected in PLANTED:
            if text not in original:
                failures.append(f"'{text.strip()}' is no longer in the catalogue: nothing was planted")
                continue
            # "no app of category" needs every occurrence gone, all others one mistake only.
            count = -1 if expected and expected.startswith("no app of") else 1
            path.write_text(original.replace(text, planted, count), encoding="utf-8")
            mistakes = check(path)
            if expected is None and mistakes:
                failures.append(f"a harmless change was refused: {mistakes}")
            elif expected is not None and not any(expected in line for line in mistakes):
                failures.append(f"'{planted.strip()}' was not found as \"{expected}\": {mistakes}")
        path.write_text("apps:\n- {name: a, category: web, hosts: [a.example]}\n", encoding="utf-8")
        if not any("expected at least" in line for line in check(path)):
            failures.append("a catalogue of one app passed")
    for line in failures:
        print(f"self-test: {line}")
    print(f"self-test: {len(PLANTED) + 1} planted, {len(failures)} failures")
    return 1 if failures else 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    if args == ["--ndpi"]:
        return compare_with_library()
    if len(args) > 1 or (args and args[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    path = pathlib.Path(args[0]) if args else CATALOGUE
    mistakes = check(path)
    for line in mistakes:
        print(line)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
