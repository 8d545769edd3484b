"""The rows of ``sockdiag limits``: each sysctl, its value, and what it comes to for a new socket."""

from __future__ import annotations

from sockdiag.analysis.limit_effects import EFFECTS
from sockdiag.analysis.limit_known import Known
from sockdiag.analysis.limit_sentences import AS_IT_IS, BY_SETTING, WITHOUT_EFFECT
from sockdiag.analysis.limit_times import TIMES
from sockdiag.model.limits import Limit
from sockdiag.model.record import HOST
from sockdiag.model.sysctl import PORT_LIST, Sysctls, port_ranges
from sockdiag.model.sysctl_table import SYSCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sockdiag.analysis.limit_known import Effect
    from sockdiag.model.gap import Gap
    from sockdiag.model.sysctl import Sysctl, Value


def limits(
    sysctls: Sysctls, page_size: int | None, kernel: tuple[int, int] | None = None, netns: str | None = None
) -> list[Limit]:
    """Work out a row for each sysctl that was asked for, in the order of the declarations.

    Args:
        sysctls: what was read.
        page_size: bytes of a page; None where unknown, and then pages stay pages.
        kernel: major and minor version, for defaults and effects that changed; None where unknown.
        netns: the network namespace that they were read in.

    Returns:
        The rows; one whose value is unknown says why.
    """
    known = Known(sysctls, page_size, kernel)
    asked = (s for s in SYSCTLS.values() if s.name in sysctls or s.name in sysctls.missing)
    return [_row(sysctl, known, netns) for sysctl in asked]


def limits_everywhere(
    parts: Sequence[tuple[str | None, Sysctls]], page_size: int | None, kernel: tuple[int, int] | None = None
) -> tuple[list[Limit], list[Gap]]:
    """Work out the rows of several namespaces: sysctl by sysctl, one of the host once, the others of each namespace.

    Args:
        parts: label of each namespace, and what was read there, the same names in each.
        page_size: see :func:`limits`.
        kernel: see :func:`limits`.

    Returns:
        The rows, and what should be visible and is so in none of the namespaces.
    """
    host: dict[str, Value] = {}
    for _label, sysctls in parts:
        for name, value in sysctls.values.items():
            if SYSCTLS[name].scope == HOST:
                host.setdefault(name, value)
    found: dict[str, list[Limit]] = {}
    gaps: list[Gap] = []
    for label, sysctls in parts:
        # What one namespace does not show of the host another does.
        missing = {name: why for name, why in sysctls.missing.items() if name not in host}
        hidden = [name for name in sysctls.hidden if name not in host]
        whole = Sysctls({**sysctls.values, **host}, missing, hidden, sysctls.errors)
        gaps += whole.gaps()
        for row in limits(whole, page_size, kernel, label):
            rows = found.setdefault(row.name, [])
            if row.netns is not None or not rows:
                rows.append(row)
    return [row for rows in found.values() for row in rows], list(dict.fromkeys(gaps))


def _row(sysctl: Sysctl, known: Known, netns: str | None) -> Limit:
    value = known.sysctls.get(sysctl.name)
    default = sysctl.default_in(known.kernel)
    effective, unit, note = _effect(sysctl, known)
    if sysctl.numbers == PORT_LIST:
        value, default = _as_text(value), _as_text(default)
    return Limit(
        sysctl.name, _exact(value), sysctl.unit, _exact(default), _exact(effective),
        unit if effective is not None else "", note,
        sysctl.scope, sysctl.path, netns if sysctl.scope != HOST else None,
    )  # fmt: skip


def _exact(value: Any) -> Any:
    # What a program that reads JSON numbers as doubles would round: fs.file-max is 2**63 - 1 on many hosts.
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return str(value) if isinstance(value, int) and value > 1 << 53 else value


def _effect(sysctl: Sysctl, known: Known) -> Effect:
    name = sysctl.name
    value = known.sysctls.get(name)
    if value is None:
        return None, "", f"{sysctl.help} Unknown: {known.sysctls.missing[name]}."
    if name in EFFECTS:
        return EFFECTS[name](known, value)
    if name in TIMES and isinstance(value, int):
        return TIMES[name](known, value)
    since = WITHOUT_EFFECT.get(name)
    if since is not None and (known.kernel is None or known.kernel >= since):
        return None, "", f"Without effect since Linux {since[0]}.{since[1]}."
    if name in AS_IT_IS and isinstance(value, int):
        unit, sentence = AS_IT_IS[name]
        return value, unit, sentence.format(v=value)
    if name in BY_SETTING and isinstance(value, int):
        sentences = BY_SETTING[name]
        return None, "", sentences[min(max(value, 0), len(sentences) - 1)]
    return None, "", sysctl.help


def _as_text(value: Value | None) -> Value | None:
    # A list of ports as the kernel prints it: "8080,9000-9100".
    if not isinstance(value, tuple):
        return value
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in port_ranges(value))
