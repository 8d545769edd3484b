"""The kernels that are tested, and the ways they are booted."""

from __future__ import annotations

from typing import NamedTuple

# Debian suite: the series that its kernel is of, oldest first.
SUITES = {"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12", "sid": "7.x"}


class Boot(NamedTuple):
    """A way to boot.

    Attributes:
        append: more words of the kernel's command line.
        devices: more options of qemu.
    """

    append: str = ""
    devices: tuple[str, ...] = ()


# Tests of tests/kernels/guest that need another one than the first say so: @pytest.mark.boot("odd").
BOOTS = {
    "plain": Boot(),
    # Counts what the kernel asks modprobe for, and unloads modules: nobody else may use any meanwhile.
    "modules": Boot(),
    # What can be had together, as each boot takes its time: no IPv6, a kernel that is locked down, and two cards of 2005 on
    # one wire: what one sends faster than the other's driver takes it overruns the ring there.
    "odd": Boot(
        append="ipv6.disable=1 lockdown=confidentiality",
        devices=(
            *("-netdev", "hubport,id=first,hubid=0", "-device", "e1000,netdev=first"),
            *("-netdev", "hubport,id=second,hubid=0", "-device", "e1000,netdev=second"),
        ),
    ),
}


def suite_of(text: str) -> str:
    """Return the suite that is named, by itself or by its series.

    Raises:
        ValueError: there is none.
    """
    for suite, series in SUITES.items():
        if text in (suite, series):
            return suite
    known = ", ".join(f"{suite} ({series})" for suite, series in SUITES.items())
    raise ValueError(f"{text!r} is none of {known}")
