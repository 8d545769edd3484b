"""A namespace with every kind of socket that can be made here."""

from __future__ import annotations

from tests.live.world.facts import FACTORIES, Unavailable
from tests.live.world.worker import load_factories, make


def make_all() -> int:
    """Call every factory with all its variants; return how many sockets there are."""
    load_factories()
    count = 0
    for one in FACTORIES.values():
        for arguments in one.variants:
            try:
                count += len(make(one.name, arguments)[1])
            except Unavailable:
                continue
    return count
