"""Pseudonyms of names: as long, with capital letters, small letters and digits where they were, and one to one.

A name is made of words of letters and digits; what separates them stays, and so do the words of ``VOCABULARY``, which are the kernel's,
systemd's and the file system's own. Pseudonyms are words that no name of the capture has.
"""

from __future__ import annotations

import re
from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Words that say nothing about whose host it is: folders of every host, units and cgroups that every systemd has, runtimes whose naming
# schemes tell a container, tables and chains of netfilter, and the users that every host has.
VOCABULARY = frozenset(
    b"""
    dev etc home lib lib64 mnt opt proc root run sbin srv sys tmp usr var bin boot media local share shm pts mqueue hugepages lock log cache
    fs cgroup unified net netns ns self fd kernel debug tracing bpf pstore security config fuse connections class devices virtual
    system user machine init session sessions service scope slice socket mount swap timer target path slices app background
    supervisor payload monitor lxc libvirt docker dockerd containerd shim conmon kubepods pod besteffort burstable guaranteed cri
    crio libpod nerdctl nspawn systemd journald journal logind udevd networkd resolved timesyncd notify private dbus stdout stderr stdin
    proxy parent qemu ch X11 unix ICE
    name cpu cpuset cpuacct memory blkio io pids freezer perf event prio cls hugetlb rdma misc deleted
    filter nat mangle raw INPUT OUTPUT FORWARD PREROUTING POSTROUTING input output forward prerouting postrouting
    nobody daemon sock pipe anon inode tcp udp tcp6 udp6 tun tap default all
    """.split()
)
# Devices as the kernel, udev and drivers number them. Not those that hold a MAC address (enx…) or another identity.
_DEVICE = re.compile(
    rb"(?:lo|any|(?:eth|wlan|docker|tun|tap|wg|bond|dummy|ifb|veth|br|virbr|tunl|sit|gre|gretap|erspan|teql|cni|usb|ppp|wwan|vcan|can|ip6tnl"
    rb"|ip6gre|vti|nlmon|team|vxlan|macvlan|ipvlan|lxcbr|lxdbr)\d{1,3}|(?:en|wl|ww|sl)(?:[os]\d|p\d)[a-z0-9]{0,10})"
)
WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
# Numbers of up to two digits number processors, devices and instances.
_SHORT_NUMBER = 2
# What `docker ps` and people use of a container's id.
_SHORT_ID = 12
_LONG_ID = 32
_TRIES = 256
_LOWER = b"abcdefghijklmnopqrstuvwxyz"
_HEX = b"abcdef"


def kept_word(word: bytes) -> bool:
    """Return whether a word says nothing about whose it is, and stays."""
    return word in VOCABULARY or (len(word) <= _SHORT_NUMBER and word.isdigit()) or _DEVICE.fullmatch(word) is not None


class Pseudonyms:
    """Pseudonyms of words, by a key and those given so far.

    Args:
        key: of the mapping.
        table: words and their pseudonyms.
    """

    __slots__ = ("_key", "_used", "table")

    def __init__(self, key: bytes, table: Mapping[bytes, bytes]) -> None:
        self._key = key
        self.table = dict(table)
        self._used = set(self.table.values())

    def assign(self, words: Iterable[bytes]) -> None:
        """Give pseudonyms to words; none is one of the words."""
        new = sorted({part for word in words if not kept_word(word) for part in _parts(word)} - self.table.keys())
        taken = self._used | self.table.keys() | set(new)
        for word in new:
            self.table[word] = found = self._fresh(word, taken)
            taken.add(found)
            self._used.add(found)

    def pseudonym(self, word: bytes) -> bytes:
        """Return the pseudonym of a word."""
        if kept_word(word):
            return word
        out = []
        for part in _parts(word):
            if part not in self.table:
                self.assign((part,))
            out.append(self.table[part])
        return b"".join(out)

    def is_pseudonym(self, word: bytes) -> bool:
        """Return whether a word is made of pseudonyms given, or stays."""
        return kept_word(word) or all(part in self._used for part in _parts(word))

    def _fresh(self, word: bytes, taken: set[bytes]) -> bytes:
        last = word
        for number in range(_TRIES):
            last = self._try(word, number)
            if last not in taken and not kept_word(last):
                return last
        # There are few such short words: one that is a name here, but is not given to another.
        return next((w for w in (self._try(word, n) for n in range(_TRIES, 16 * _TRIES)) if w not in self._used), last)

    def _try(self, word: bytes, number: int) -> bytes:
        seed = blake2b(number.to_bytes(4, "big") + word, key=self._key, person=b"name").digest()
        length = len(word)
        while len(seed) < length:
            seed += blake2b(seed, key=self._key, person=b"name").digest()
        letters = _HEX if not word.strip(b"0123456789abcdef") and length >= 4 else _LOWER
        out = bytearray(length)
        for place, (old, new) in enumerate(zip(word, seed, strict=False)):
            if 0x30 <= old <= 0x39:
                # A number keeps its length: no 0 at its beginning.
                out[place] = 0x30 + (new % 10 if place or old == 0x30 or length == 1 else 1 + new % 9)
            elif 0x41 <= old <= 0x5A:
                out[place] = 0x41 + new % 26
            else:
                out[place] = letters[new % len(letters)]
        return bytes(out)


def _parts(word: bytes) -> tuple[bytes, ...]:
    # The beginning of a container's id is a name of its own.
    if len(word) >= _LONG_ID and not word.strip(b"0123456789abcdef"):
        return word[:_SHORT_ID], word[_SHORT_ID:]
    return (word,)
