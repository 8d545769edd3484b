"""Format quantities for people; machines get the exact numbers."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import SHOWN_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.quantity import UNKNOWN
from sockdiag.model.record import FLAGS, SECRET, Field, Record
from sockdiag.render.escape import printable, socket_name
from sockdiag.render.plain import HIDDEN, flag_words, number_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from sockdiag.model.inspection import FdLayer
    from sockdiag.model.port import PortHolder

    _Holder: TypeAlias = FdLayer | PortHolder


def cell(value: Any, field: Field | None = None) -> str:
    """Format a value for a table: unknown is ``-``, names are escaped, flags and states are words."""
    if value is None:
        return UNKNOWN
    if field is not None and field.kind == SECRET:
        return HIDDEN
    if isinstance(value, str):
        return printable(value if field is None else field.shown.get(value, value)) or UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        if field is not None and field.base == 16:
            return f"{value:x}"
        if field is not None and field.words:
            if field.kind == FLAGS:
                return ",".join(flag_words(value, field.words)) or UNKNOWN
            return str(number_word(value, field.words))
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return socket_name(value)
    if isinstance(value, Endpoint):
        return endpoint(value)
    if isinstance(value, Record):
        pairs = zip(type(value).FIELDS, value._values(), strict=True)
        return ",".join(f"{f.name}={cell(v, f)}" for f, v in pairs if v is not None) or UNKNOWN
    if isinstance(value, (tuple, list, frozenset)):
        return ",".join(_item(v) for v in value) or UNKNOWN
    if isinstance(value, dict):
        return ",".join(f"{printable(str(name))}={cell(v)}" for name, v in value.items()) or UNKNOWN
    return printable(str(value))


def state_word(state: str | None) -> str:
    """Return the word that screens show for a socket's state."""
    return UNKNOWN if state is None else SHOWN_STATES.get(state, state)


def process_cell(comm: bytes | str | None, pid: int) -> str:
    """Write a process as ``name(pid)``."""
    return f"{cell(comm)}({pid})"


def descriptor_cell(fd: int | None, before: str) -> str:
    """Write a descriptor behind its word; nothing where it is unknown."""
    return "" if fd is None else f"{before}{fd}"


def membership(holder: _Holder) -> list[str]:
    """Write the user, unit and container of a process, as far as they are known."""
    known = (("user", holder.user), ("unit", holder.unit), ("container", holder.container))
    return [f"{word} {printable(name)}" for word, name in known if name is not None]


def _item(value: Any) -> str:
    if isinstance(value, Record) and "pid" in type(value)._INDEX:  # type: ignore[attr-defined]
        if "fd" not in type(value)._INDEX:  # type: ignore[attr-defined]
            return process_cell(value.comm, value.pid)  # type: ignore[attr-defined]
        return f"{cell(value.comm)}({value.pid}{descriptor_cell(value.fd, ',fd=')})"  # type: ignore[attr-defined]
    if isinstance(value, Record):
        return ":".join(_member(v, f) for f, v in zip(type(value).FIELDS, value._values(), strict=True))
    if isinstance(value, tuple):
        return ":".join(map(_member, value))
    return cell(value)


def _member(value: Any, field: Field | None = None) -> str:
    if isinstance(value, bytes) and (field is None or field.kind != SECRET):
        return value.hex()
    return cell(value, field)


def endpoint(end: Endpoint) -> str:
    """Format one end of a socket: ``ADDR%IFACE:PORT``, IPv6 in brackets, ``*`` for any IP port, a unix name as it is."""
    address = end.address
    if isinstance(address, bytes):
        return socket_name(address)
    if address is None:
        if end.interface is not None:
            return f"%{printable(end.interface)}"
        return UNKNOWN if end.port is None else str(end.port)
    text = f"[{address}]" if ":" in address else printable(address)
    any_port = "*" if ":" in address or "." in address else "0"
    if end.interface is not None:
        text += "%" + printable(end.interface)
    if end.port is None:
        return text
    return f"{text}:{end.port or any_port}"
