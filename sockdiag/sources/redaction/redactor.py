"""Redact a capture: which of its files are known, and how each is rewritten. What is not known is left out, and said.

Both a capture that is being taken and one that is read pour their parts into a :class:`Redactor`, which pours them redacted into another
sink.
"""

from __future__ import annotations

import re
from json import dumps, loads

from sockdiag.errors import SourceError
from sockdiag.sources.capture.namespace_paths import INDEX_FILE
from sockdiag.sources.capture.namespaces import format_index, parse_index
from sockdiag.sources.capture.spool import Extent, new_content
from sockdiag.sources.redaction import proc_files as rewrite
from sockdiag.sources.redaction.messages import is_known, redacted_answer
from sockdiag.sources.redaction.proc_files import Unredactable
from sockdiag.sources.redaction.text import redacted
from sockdiag.sources.system.captured_root import Stat, format_stats, parse_stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.sources.capture.pour import Sink
    from sockdiag.sources.redaction.mapping import Mapping
    from sockdiag.sources.redaction.proc_files import Rewrite

_PROCESS = r"/proc/(?:[1-9]\d*|self)"
_TABLE = r"/proc/(?:(?:[1-9]\d*|self)/)?net"
# Paths as a whole, and what rewrites the file there.
_KINDS: tuple[tuple[str, Rewrite], ...] = (
    (rf"{_PROCESS}/comm", rewrite.NAME),
    (rf"{_PROCESS}/cmdline", rewrite.COMMAND_LINE),
    (rf"{_PROCESS}/stat", rewrite.STAT),
    (rf"{_PROCESS}/status", rewrite.STATUS),
    (rf"{_PROCESS}/cgroup", rewrite.CGROUP),
    (rf"{_PROCESS}/limits", rewrite.COUNTERS),
    (rf"{_PROCESS}/wchan", rewrite.WORD),
    (rf"{_PROCESS}(?:/task/[1-9]\d*)?/schedstat", rewrite.SETTING),
    (rf"{_PROCESS}/task/[1-9]\d*/stat", rewrite.STAT),
    (rf"{_PROCESS}/mountinfo", rewrite.MOUNTS),
    (rf"{_TABLE}/(?:tcp|udp|udplite|raw|icmp)6?", rewrite.SOCKETS),
    (rf"{_TABLE}/unix", rewrite.UNIX),
    (rf"{_TABLE}/dev", rewrite.DEVICES),
    (rf"{_TABLE}/if_inet6", rewrite.ADDRESSES6),
    (rf"{_TABLE}/igmp", rewrite.GROUPS),
    (rf"{_TABLE}/dev_mcast", rewrite.GROUPS_MAC),
    (rf"{_TABLE}/fib_trie", rewrite.FIB_TRIE),
    (rf"{_TABLE}/route", rewrite.ROUTES),
    (rf"{_TABLE}/ipv6_route", rewrite.ROUTES6),
    (
        rf"{_TABLE}/(?:netlink|netstat|packet|protocols|snmp6?|sockstat6?|softnet_stat|tls_stat|xfrm_stat|stat/nf_conntrack|sctp/snmp)",
        rewrite.COUNTERS,
    ),
    (r"/proc/(?:stat|modules|cgroups)", rewrite.COUNTERS),
    (r"/proc/sys/kernel/(?:hostname|domainname|random/boot_id)", rewrite.NAME),
    (r"/proc/sys/kernel/(?:osrelease|ostype|arch)", rewrite.WORD),
    (r"/proc/sys/net/core/default_qdisc", rewrite.WORD),
    (r"/proc/sys/net/ipv4/tcp_congestion_control", rewrite.WORD),
    (
        r"/proc/sys/(?:kernel|vm|fs|net(?:/(?:core|ipv4|ipv6|unix|netfilter|sctp|mptcp|ipv4/neigh|ipv6/neigh|ipv6/route))?)/[a-z0-9_\-]+",
        rewrite.SETTING,
    ),
    (r"/proc/sys/net/ipv[46]/(?:neigh|conf)/[^/]+/[a-z0-9_]+", rewrite.SETTING),
    (r"/sys/fs/cgroup(?:/[^/]+)*/(?:memory|cgroup|cpu|pids)\.[a-z_.]+", rewrite.COUNTERS),
    (r"/sys/class/net/[^/]+/(?:[a-z0-9_]+|statistics/[a-z0-9_]+)", rewrite.SETTING),
    (r"/etc/passwd", rewrite.PASSWD),
    (r"/answers\.tsv", rewrite.ANSWERS),
)
PATTERNS = tuple(pattern for pattern, _kind in _KINDS)
_FILES = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _KINDS)
# Folders of which only the paths count.
_FOLDERS = re.compile(
    rf"(?:/?|/proc|{_PROCESS}(?:/(?:fd|ns|fdinfo|net|task(?:/[1-9]\d*)?))?|{_TABLE}(?:/stat)?|/proc/sys(?:/[a-z0-9_]+)*|/sys|/sys/fs|/sys/fs/cgroup(?:/[^/]+)*"
    r"|/sys/class(?:/net(?:/[^/]+)?)?|/etc|/netlink|/moments|/outer|/netns)",
    re.DOTALL,
)
_ANSWER = re.compile(r"/netlink/([A-Za-z0-9_]+)\.nl")
# The same files of an earlier moment, and the host's beside those of a container.
_PREFIX = re.compile(r"((?:/netns/\d+)?(?:/moments/\d+)?(?:/outer)?)(/.*)?", re.DOTALL)
_LINKS = re.compile(rb"-|[a-z_0-9]+:\[\d+\]")
_DESCRIPTORS = re.compile(rf"{_PROCESS}/fd")
_NAMESPACES = re.compile(rf"{_PROCESS}/ns/[a-z_]+")
_NOTES, _STATS = "/meta.toml", "/stat.tsv"
# Written anew by whoever writes a capture.
_OWN = ("/sha256sums",)
_MOST_LEFT_OUT = 1000


class LeftOut:
    """What a redacted capture does not have."""

    __slots__ = ("count", "parts")

    def __init__(self) -> None:
        self.count = 0
        self.parts: list[tuple[str, str]] = []

    def add(self, path: str, reason: str) -> None:
        """Note one part."""
        self.count += 1
        if len(self.parts) < _MOST_LEFT_OUT:
            self.parts.append((path, reason))


class Redactor:
    """Takes the parts of a capture, and passes them on with pseudonyms.

    Args:
        sink: gets the redacted parts; None while the mapping notes what there is.
        mapping: the pseudonyms.
        place: opens a file without a name for what does not fit in memory.
    """

    __slots__ = ("_mapping", "_place", "_sink", "left_out")

    def __init__(self, sink: Sink | None, mapping: Mapping, place: Callable[[], int]) -> None:
        self._sink = sink
        self._mapping = mapping
        self._place = place
        self.left_out = LeftOut()

    def folder(self, path: str) -> None:
        """Pass a folder on."""
        prefix, rest = _split(path)
        if not _FOLDERS.fullmatch(rest):
            self.left_out.add(path, "not known")
            return
        new = prefix + self._path(rest)
        if self._sink is not None:
            self._sink.folder(new)

    def file(self, path: str, _size: int, pieces: Iterable[bytes]) -> None:
        """Pass a file on, redacted."""
        prefix, rest = _split(path)
        if rest in _OWN:
            return
        kind = rewrite_of(rest)
        if kind is None:
            self.left_out.add(path, "not known")
            return
        new = prefix + self._path(rest)
        extent = Extent(new_content(self._place))
        try:
            for piece in kind(pieces, self._mapping):
                if self._sink is not None:
                    extent.append(piece)
        except (Unredactable, SourceError) as error:
            self.left_out.add(path, error.reason if isinstance(error, SourceError) else str(error))
            return
        if self._sink is not None:
            self._sink.file(new, extent.size, extent.pieces())

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
        """Pass symbolic links on: descriptors and namespaces."""
        prefix, rest = _split(folder)
        if _DESCRIPTORS.fullmatch(rest):
            if self._sink is not None:
                self._sink.links(prefix + rest, _descriptors(links))
            return
        kept = []
        for name, text in links:
            path = f"{rest}/{name.decode('utf-8', 'surrogateescape')}"
            if _NAMESPACES.fullmatch(path) and _LINKS.fullmatch(text):
                kept.append((name, text))
            else:
                self.left_out.add(prefix + path, "a link that is not known")
        if kept and self._sink is not None:
            self._sink.links(prefix + rest, kept)

    def _path(self, path: str) -> str:
        return redacted_path(path, self._mapping)


def _split(path: str) -> tuple[str, str]:
    found = _PREFIX.fullmatch(path)
    return (found[1], found[2] or "") if found is not None else ("", path)


def _descriptors(links: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for name, text in links:
        if name.isdigit():
            # Names of files are private.
            yield name, text if _LINKS.fullmatch(text) else b"-"


_CGROUPS = "/sys/fs/cgroup/"
# A folder is named after a device.
_OF_DEVICES = re.compile(r"(/sys/class/net/|/proc/sys/net/ipv[46]/(?:neigh|conf)/)([^/]+)(/.*)?", re.DOTALL)


def redacted_path(path: str, mapping: Mapping) -> str:
    """Return the path of a part of a capture, with pseudonyms where a path has names: cgroups and devices."""
    if path.startswith(_CGROUPS):
        folder, slash, name = path[len(_CGROUPS) :].rpartition("/")
        if not _CONTROL_FILE.fullmatch(name):
            return _CGROUPS + _renamed(path[len(_CGROUPS) :], mapping)
        return _CGROUPS + _renamed(folder, mapping) + slash + name
    found = _OF_DEVICES.fullmatch(path)
    return path if found is None else found[1] + _renamed(found[2], mapping) + (found[3] or "")


def _renamed(name: str, mapping: Mapping) -> str:
    return redacted(name.encode("utf-8", "surrogateescape"), mapping).decode("utf-8", "surrogateescape")


_CONTROL_FILE = re.compile(r"(?:memory|cgroup|cpu|pids)\.[a-z_.]+")


def rewrite_of(path: str) -> Rewrite | None:
    """Return what rewrites a file of a capture; None if it is not known."""
    if path == _NOTES:
        return _notes
    if path == _STATS:
        return _stats
    if path == INDEX_FILE:
        return _namespaces
    found = _ANSWER.fullmatch(path)
    if found is not None:
        return redacted_answer(found[1]) if is_known(found[1]) else None
    return next((kind for pattern, kind in _FILES if pattern.fullmatch(path)), None)


def _whole(pieces: Iterable[bytes], most: int) -> bytes:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > most:
            raise Unredactable(f"longer than {most} bytes")
    return body


_MOST_NOTES = 1 << 20
_MOST_STATS = 64 << 20
# What notes hold, and what each may be.
_KNOWN_NOTES = {
    "format": re.compile(r"\d{1,3}"),
    "kernel": re.compile(r"[\w.+~\-]{1,128}", re.ASCII),
    "arch": re.compile(r"\w{1,32}", re.ASCII),
    "how": re.compile(r"sockdiag [\w.+]{1,40} [a-z]{1,16}", re.ASCII),
    "interval_s": re.compile(r"[\d.e+\-]{1,32}"),
    "captured_at": re.compile(r"[\d.e+\-]{1,32}"),
    "monotonic": re.compile(r"[\d.e+\-]{1,32}"),
    "pid": re.compile(r"\d{1,10}"),
}
_GAP_TEXTS = ("source", "reason", "hint")


def _notes(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
    """Rewrite ``meta.toml``: a note that is not known is left out; of a gap, the source stays."""
    for line in _whole(pieces, _MOST_NOTES).split(b"\n"):
        key, _, text = line.decode("utf-8", "replace").partition(" = ")
        if line == b"[[gap]]":
            yield b"\n[[gap]]\n"
            continue
        try:
            value = loads(text)
        except (ValueError, RecursionError):
            continue
        if key == "boot_id" and isinstance(value, str):
            yield _note(key, redacted(value.encode("utf-8", "replace"), mapping).decode("utf-8", "replace"))
        elif key in _GAP_TEXTS and isinstance(value, str):
            yield _note(key, _gap_text(key, value, mapping))
        elif key in _KNOWN_NOTES and isinstance(value, (str, int, float)) and _KNOWN_NOTES[key].fullmatch(str(value)):
            yield _note(key, value)


def _note(key: str, value: object) -> bytes:
    return f"{key} = {dumps(value)}\n".encode()


def _gap_text(key: str, value: str, mapping: Mapping) -> str:
    if key == "source":
        known = rewrite_of(_split(value)[1]) is not None or re.fullmatch(
            r"[A-Za-z0-9_+]{1,40}|/proc/PID/[a-z]{1,16}", value
        )
        return redacted_path(value, mapping) if known else "(redacted)"
    words = re.fullmatch(r"(?:descriptors of \d+ of \d+ processes: )?([A-Z][A-Za-z ]{1,60})", value)
    return value if words is not None and words[1] in _ERRORS else "(redacted)"


def _errors() -> frozenset[str]:
    from os import strerror

    return frozenset(strerror(number) for number in range(1, 134))


_ERRORS = _errors()


def _stats(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
    kept: dict[str, Stat] = {}
    for path, stat in parse_stats(_whole(pieces, _MOST_STATS)).items():
        known = rewrite_of(path) is not None or _FOLDERS.fullmatch(path) or _NAMESPACES.fullmatch(path)
        if known:
            kept[redacted_path(path, mapping)] = stat
    yield format_stats(kept)


_WAY = re.compile(rf"{_PROCESS}(?:/task/\d+)?/(?:ns/net|fd/\d+)")
_HELD_BY = re.compile(r"[a-z_\-]{1,20}", re.ASCII)


def _namespaces(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
    def new(text: str) -> str:
        return redacted(text.encode("utf-8", "surrogateescape"), mapping).decode("utf-8", "surrogateescape")

    def way(path: str) -> str:
        return path if _WAY.fullmatch(path) else new(path)

    places, gaps = parse_index(_whole(pieces, _MOST_NOTES))
    kept = [
        place._replace(
            namespace=place.namespace._replace(name=place.namespace.name and new(place.namespace.name)),
            path=way(place.path),
            held_by=place.held_by if _HELD_BY.fullmatch(place.held_by) else new(place.held_by),
            others=tuple(way(path) for path in place.others),
        )
        for place in places
    ]
    missed = [
        gap._replace(source=new(gap.source), reason=_gap_text("reason", gap.reason, mapping), hint="") for gap in gaps
    ]
    yield format_index(kept, missed)
