#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check the shipped app catalogue: what the parser accepts is not yet what we want to ship.

    catalogue.py            check the shipped catalogue, and what code, schemas and documents say of its categories; exit 1
                            and one line a mistake, `file:line: what, what would be right`
    catalogue.py FILE       check another catalogue alone
    catalogue.py --write    count the apps anew in docs/catalogue.md and README.md
    catalogue.py --ndpi     compare the committed list of protocol names with ndpiReader's; exit 77 without ndpiReader
    catalogue.py --self-test  plant each kind of mistake in a copy and insist that it is found
"""
import collections
import ipaddress
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "control/catalogue/apps.yaml"
PROTOCOLS = ROOT / "tests/lint/ndpi-4.2-protocols.txt"
DOCUMENT = ROOT / "docs/catalogue.md"
README = ROOT / "README.md"
GATES = ROOT / "control/gates.c"
SCHEMA = ROOT / "control/schema/trigger.json"

CATEGORIES = frozenset("""streaming music social messaging games cloud web assistants vpn relay conferencing mail
    shopping news finance maps travel work education iot speedtest software ads p2p remote network adult gambling health
    dating politics religion competitor own""".split())
KEYS = frozenset("name category ndpi hosts hosts_file tags nets ports".split())
TAGS = {
    "competitor": frozenset("plans port_in store_locator".split()),
    "own": frozenset("shop plans account device cancel support topup".split()),
}
MIN_APPS = 300

# Carriers, not services: whoever claims one of these takes every unmatched name out of `unknown`.
GENERIC = frozenset("Unknown HTTP HTTP_Connect HTTP_Proxy TLS DTLS QUIC WebSocket FREE_64".split())

# RFC 2606, RFC 6761: the only names under which an invented company may live.
RESERVED = ("example", "test", "invalid", "example.com", "example.net", "example.org")

# Suffixes under which everybody registers: a host this short would swallow a country. Not the whole public suffix
# list, but the ones a slip of the hand produces.
PUBLIC_SUFFIXES = frozenset("""co.uk org.uk ac.uk gov.uk com.br bet.br gov.br com.au gov.au net.au com.mx com.tr gov.tr
    org.tr net.tr com.ar com.cn com.hk com.tw com.sg com.my com.pl com.ua co.jp or.jp ne.jp co.kr co.in gov.in co.za
    co.nz co.id co.il org.il co.th or.at co.at gv.at gen.tr com.sa gov.sa com.eg com.ng co.ke com.pk com.bd com.vn com.ph
    com.co com.pe com.uy gob.es gouv.fr gov.it net.pl org.pl com.ru com.gr co.ug com.py com.ec com.kw com.qa""".split())

# Delivery for everybody: the bare suffix belongs to `cdn` and to no brand.
SHARED_CDN = frozenset("""akamai.net akamaihd.net akamaized.net akamaiedge.net akadns.net edgekey.net edgesuite.net
    cloudfront.net fastly.net fastlylb.net edgecastcdn.net llnwd.net llnwi.net footprint.net hwcdn.net
    stackpathcdn.com b-cdn.net jsdelivr.net live-video.net uplynk.com nsatc.net incapdns.net kxcdn.com mncdn.com
    cdn77.org gcdn.co wscdns.com lxdns.com edgio.net cloudinary.com imgix.net""".split())

# Players and delivery that many broadcasters rent: the bare suffix belongs to `video-platforms` and to no broadcaster.
SHARED_VIDEO = frozenset("""brightcove.com brightcove.net boltdns.net bcovlive.io jwplatform.com jwplayer.com jwpcdn.com
    jwpsrv.com kaltura.com mux.com wistia.com wistia.net theplatform.com theplatform.eu wowza.com amagi.tv wurl.com
    streamamg.com bitmovin.com dacast.com""".split())

# Servers that everybody rents: a bare suffix says where something runs and not whose it is.
SHARED_HOSTING = frozenset("""amazonaws.com awsglobalaccelerator.com windows.net azurewebsites.net azureedge.net azurefd.net
    cloudapp.net trafficmanager.net appspot.com run.app web.app firebaseapp.com firebaseio.com cloudfunctions.net
    googleapis.com googleusercontent.com workers.dev pages.dev r2.dev herokuapp.com vercel.app netlify.app fly.dev
    onrender.com ondigitalocean.app digitaloceanspaces.com your-server.de aliyuncs.com myqcloud.com github.io gitlab.io
    blogspot.com wordpress.com myshopify.com wixsite.com webflow.io netdna-ssl.com supabase.co oraclecloud.com
    backblazeb2.com wasabisys.com linodeobjects.com""".split())
SHARED_CATEGORIES = frozenset("cloud web software".split())

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
        self.apps = collections.defaultdict(list)  # category: names
        self.n_hosts = 0

    def mistake(self, node, text):
        line = node.start_mark.line + 1 if node is not None else 1
        self.mistakes.append(f"{getattr(node, 'path', self.path)}:{line}: {text}")

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
        self.apps[category].append(name)
        self.sensitive(node, name, category)
        if not fields.keys() & {"ndpi", "hosts", "hosts_file", "tags", "nets", "ports"}:
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

    def sensitive(self, node, name, category):
        """A second app would tell more than the category; so would a name that is not the category's."""
        if category not in SENSITIVE:
            return
        if len(self.apps[category]) > 1:
            self.mistake(node, f"app '{name}': the sensitive category '{category}' has one app, '{self.apps[category][0]}'")
        if not str(name).startswith(category + "-"):
            self.mistake(node, f"app '{name}' of the sensitive category '{category}', expected a name '{category}-...'")

    def plain_hosts(self, fields, name, category):
        hosts = []
        if "hosts" in fields:
            for item in self.strings(fields["hosts"], "hosts"):
                self.host(item, name, category)
                hosts.append(item)
        if "hosts_file" in fields:
            for item, tag in self.lines(fields["hosts_file"]):
                self.host(item, name, category)
                if tag is None:
                    hosts.append(item)
                elif tag not in TAGS.get(category, ()):
                    self.mistake(item, f"tag '{tag}' means nothing in category '{category}'")
        return hosts

    def lines(self, node):
        """The hosts of a hosts file, with what mistake() needs, and their tags."""
        path = self.path.parent / str(node.value)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as err:
            self.mistake(node, f"'{node.value}' cannot be read: {err}")
            return
        for number, line in enumerate(text.split("\n")):
            words = re.sub(r"(^|[ \t])#.*", "", line).split()
            if words:
                mark = types.SimpleNamespace(line=number)
                yield types.SimpleNamespace(value=words[0], start_mark=mark, path=path), words[1] if len(words) > 1 else None

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
        self.n_hosts += 1
        if host in SHARED_CDN and name != "cdn":
            self.mistake(item, f"host '{host}' serves everybody, expected it in app 'cdn'")
        if host in SHARED_VIDEO and name != "video-platforms":
            self.mistake(item, f"host '{host}' serves many broadcasters, expected it in app 'video-platforms'")
        if host in SHARED_HOSTING and category not in SHARED_CATEGORIES:
            self.mistake(item, f"host '{host}' is rented by everybody, expected it in none of category '{category}'")
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
        for category in sorted(CATEGORIES - self.apps.keys()):
            self.mistake(root, f"no app of category '{category}'")
        for protocol in sorted(self.protocols - GENERIC - self.ndpi.keys()):
            self.mistake(root, f"no app claims nDPI's '{protocol}'")


def read_protocols():
    lines = PROTOCOLS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def read_sensitive():
    """The one list of them: what gate G4 refuses."""
    found = re.search(r"sensitive\[\] = \{(.*?)\}", GATES.read_text(encoding="utf-8"), re.S)
    return frozenset(re.findall(r'"(\w+)"', found.group(1))) if found else frozenset()


SENSITIVE = read_sensitive()


def check(path):
    return Checker(path, read_protocols()).run()


def numbers(checker):
    """What documents say of each category, and of all: (document, what stands before the number, the number)."""
    n_apps = sum(len(names) for names in checker.apps.values())
    yield README, "| apps | ", n_apps
    yield DOCUMENT, "The shipped list has ", n_apps
    yield DOCUMENT, " apps and ", checker.n_hosts
    for category in sorted(CATEGORIES):
        yield DOCUMENT, f"| `{category}` | ", len(checker.apps[category])


def read_documents():
    return {path: path.read_text(encoding="utf-8") for path in (README, DOCUMENT)}


def check_documents(texts, checker):
    """docs/catalogue.md has a row for each category, and no document a number of yesterday."""
    mistakes = []
    for path, before, number in numbers(checker):
        found = re.search(re.escape(before) + r"(\d+)", texts[path])
        if not found:
            mistakes.append(f"{path}:1: nothing says '{before}{number}'")
        elif int(found.group(1)) != number:
            line = texts[path].count("\n", 0, found.start()) + 1
            mistakes.append(f"{path}:{line}: '{found.group(0)}', expected {number}; --write counts anew")
    for found in re.finditer(r"^\| `(\w+)` \| \d+ \|", texts[DOCUMENT], re.M):
        if found.group(1) not in CATEGORIES:
            line = texts[DOCUMENT].count("\n", 0, found.start()) + 1
            mistakes.append(f"{DOCUMENT}:{line}: category '{found.group(1)}' is not known")
    return mistakes


def write_documents(checker):
    texts = read_documents()
    for path, before, number in numbers(checker):
        texts[path] = re.sub(re.escape(before) + r"\d+", before + str(number), texts[path], count=1)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


# Where else the sensitive categories are named: file, what the place looks like.
NAMED = [
    ("docs/triggers.md", r"^\| G4 \|.*$"),
    ("docs/detection.md", r"^\| G4 \|.*$"),
    ("docs/hashes.md", r"Apps of the categories .*? are never named"),
    ("docs/catalogue.md", r"Sensitive are .*?\."),
    ("control/catalogue/apps.yaml", r"Sensitive categories \(.*?\)"),
]


def check_sensitive(sensitive, read=lambda name: (ROOT / name).read_text(encoding="utf-8")):
    """Code, schemas and documents name the same categories as sensitive."""
    mistakes = []
    if not sensitive:
        return [f"{GATES}:1: no list 'sensitive'"]
    for category in sorted(sensitive - CATEGORIES):
        mistakes.append(f"{GATES}:1: category '{category}' is not known")
    refused = set(json.loads(read("control/schema/trigger.json"))["$defs"]["category"]["not"]["enum"])
    for category in sorted(refused ^ (sensitive | TAGS.keys())):
        mistakes.append(f"{SCHEMA}:1: '{category}' is refused either by gate G4 or by the schema, expected both")
    for name, place in NAMED:
        text = read(name)
        found = re.search(place, text, re.M | re.S if "*?" in place else re.M)
        words = set(re.findall(r"[a-z]+", found.group(0))) if found else set()
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        for category in sorted(sensitive - words):
            mistakes.append(f"{ROOT / name}:{line}: '{category}' is missing among the sensitive categories")
    return mistakes


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
    ("    hosts: [peacocktv.com]", "    hosts: [peacocktv.com, b-cdn.net]", "expected it in app 'cdn'"),
    ("    hosts: [peacocktv.com]", "    hosts: [peacocktv.com, brightcove.net]", "expected it in app 'video-platforms'"),
    ("    hosts: [peacocktv.com]", "    hosts: [peacocktv.com, amazonaws.com]", "rented by everybody"),
    ("  - name: religion-sites", "  - name: churches", "expected a name 'religion-...'"),
    ("    category: religion\n", "    category: politics\n", "has one app, 'politics-sites'"),
    ("    category: politics\n", "    category: web\n", "no app of category 'politics'"),
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


def planted_in_documents():
    """What must be found: (what was planted, whether it was)."""
    checker = Checker(CATALOGUE, read_protocols())
    checker.run()
    texts = read_documents()
    n = len(checker.apps["health"])

    def finds(mistakes, words):
        return any(words in line for line in mistakes)

    def changed(path, text, planted):
        return check_documents(texts | {path: texts[path].replace(text, planted)}, checker)

    row = f"| `health` | {n} |"
    yield "nothing in the documents", not check_documents(texts, checker)
    yield "another count", finds(changed(DOCUMENT, row, f"| `health` | {n + 1} |"), f"expected {n}")
    yield "another count in README.md", finds(changed(README, "| apps | ", "| apps | 1"), "README.md")
    yield "no row", finds(changed(DOCUMENT, row, ""), "nothing says")
    yield "another row", finds(changed(DOCUMENT, row, row + " |\n| `films` | 3 |"), "'films' is not known")
    yield "nothing sensitive", not check_sensitive(SENSITIVE)
    more = check_sensitive(SENSITIVE | {"weather"})
    for place in ["not known", "schema, expected both", *(name for name, _ in NAMED)]:
        yield f"one more sensitive category, at {place}", finds(more, place)
    yield "one fewer sensitive category", finds(check_sensitive(SENSITIVE - {"health"}), "'health' is refused either")
    yield "no list of them", finds(check_sensitive(frozenset()), "no list")


# (a hosts file of hulu, words the report must have)
PLANTED_LINES = [
    ("a.hulu.example # fine\r\n\n# b\nc.hulu.example", None),
    ("x.example\nnetflix.com\n", "list:2: host 'netflix.com' stands in line"),
    ("Hulu.com\n", "list:1: host 'Hulu.com'"),
    ("www.hulu.com\n", "covered by 'hulu.com'"),
    ("b-cdn.net # cdn\n", "expected it in app 'cdn'"),
    ("hulu.example plans\n", "list:1: tag 'plans' means nothing"),
    (None, "cannot be read"),
]


def self_test_lines(path, original):
    path.write_text(original.replace("name: hulu\n", "name: hulu\n    hosts_file: list\n"), encoding="utf-8")
    for text, expected in PLANTED_LINES:
        file = path.parent / "list"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_bytes(text.encode())
        mistakes = check(path)
        if not any(expected in line for line in mistakes) if expected else mistakes:
            yield f"hosts file {text!r} was not found as {expected!r}: {mistakes}"


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
        failures += self_test_lines(path, original)
        path.write_text("apps:\n- {name: a, category: web, hosts: [a.example]}\n", encoding="utf-8")
        if not any("expected at least" in line for line in check(path)):
            failures.append("a catalogue of one app passed")
    documents = list(planted_in_documents())
    failures += [f"{what}: judged wrongly" for what, is_right in documents if not is_right]
    for line in failures:
        print(f"self-test: {line}")
    print(f"self-test: {len(PLANTED) + len(PLANTED_LINES) + 1 + len(documents)} planted, {len(failures)} failures")
    return 1 if failures else 0


def check_shipped():
    checker = Checker(CATALOGUE, read_protocols())
    mistakes = checker.run()
    mistakes += check_documents(read_documents(), checker)
    return mistakes + check_sensitive(SENSITIVE)


def main(args):
    if args == ["--self-test"]:
        return self_test()
    if args == ["--ndpi"]:
        return compare_with_library()
    if args == ["--write"]:
        checker = Checker(CATALOGUE, read_protocols())
        checker.run()
        write_documents(checker)
        return 0
    if len(args) > 1 or (args and args[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    mistakes = check(pathlib.Path(args[0])) if args else check_shipped()
    for line in mistakes:
        print(line)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
