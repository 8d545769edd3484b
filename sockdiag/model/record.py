"""Immutable records whose fields are declared once, with all that tables, JSON, filters and docs need.

``dataclasses`` would do this too, at 13 ms of start-up (it imports ``inspect`` and ``re``), which is more than the whole
budget of ``sockdiag ss``. A :class:`Record` is a tuple with named fields: cheap to build in bulk (``_make``), immutable,
hashable and picklable.
"""

from __future__ import annotations

try:
    from _collections import _tuplegetter  # type: ignore[import-not-found]  # speed: docs/rejected.md
except ImportError:  # not CPython, or a later release
    from operator import itemgetter

    def _tuplegetter(index: int, doc: str) -> property:
        """Make a property of one item of a tuple."""
        return property(itemgetter(index), doc=doc)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, ClassVar, Self, dataclass_transform

# Units. A JSON key ends in the unit if the kernel's name does not contain it.
BYTES, PAGES, MS, US, COUNT, RATIO, BITS_PER_S, BYTES_PER_S, COUNT_PER_S = (
    "bytes",
    "pages",
    "ms",
    "us",
    "count",
    "ratio",
    "bit/s",
    "byte/s",
    "count/s",
)

# Kinds: a gauge goes up and down, a counter only up, the others are not quantities.
# Secrets are never shown; renderers only say that one exists.
GAUGE, COUNTER, LABEL, ID, FLAGS, SECRET = "gauge", "counter", "label", "id", "flags", "secret"

# Scopes: whose number it is. Numbers of different scopes are never subtracted from each other.
NETNS, HOST = "netns", "host"

REQUIRED: Any = object()
_AS_IT_IS: Mapping[str, str] = {}


class Field:
    """The declaration of one field of a record.

    Attributes:
        name: its name in the model, JSON and filters.
        kernel: the kernel's expression for it, e.g. ``sk->sk_rcvbuf``.
        sources: where it is read, e.g. ``INET_DIAG_SKMEMINFO[SK_MEMINFO_RCVBUF]`` or ``/proc/net/udp: drops``.
        unit: one of the units above, or "" where it is not a quantity.
        kind: one of the kinds above.
        help: one line for people.
        header: column heading in tables; the upper-case name where not given.
        needs: the costly part (``sockdiag.model.query``) that must be requested to read it, or "".
        of: the Record class of a nested field, or None.
        words: for flags, the kernel's word for each bit, lowest first; for an id, that for each number, from 0: shown instead.
        base: 16 for an identity that is written in hexadecimal, in JSON as a string.
        scope: HOST if the number is the whole host's in every namespace, else "".
        wire: struct format of the field in the kernel's struct, where the record mirrors one.
        optional: None from netlink means that the socket has none (no ring, no peer), not that it is unknown.
        shown: words that screens show in the place of some values; machines get the values.
        also: other names by which a column of it may be asked for: those of the same thing in other records.
    """

    __slots__ = (
        "also",
        "base",
        "default",
        "header",
        "help",
        "kernel",
        "kind",
        "name",
        "needs",
        "of",
        "optional",
        "scope",
        "shown",
        "sources",
        "unit",
        "wire",
        "words",
    )

    name: str

    def __init__(
        self,
        default: Any,
        kernel: str,
        help: str,
        sources: tuple[str, ...],
        unit: str,
        kind: str,
        header: str,
        needs: str,
        of: Any,
        words: tuple[str, ...],
        wire: str,
        base: int,
        scope: str,
        optional: bool,
        shown: Mapping[str, str],
        also: tuple[str, ...],
    ) -> None:
        self.default = default
        self.kernel = kernel
        self.help = help
        self.sources = sources
        self.unit = unit
        self.kind = kind
        self.header = header
        self.needs = needs
        self.of = of
        self.words = words
        self.wire = wire
        self.base = base
        self.scope = scope
        self.optional = optional
        self.shown = shown
        self.also = also


def field(
    help: str,
    *,
    default: Any = REQUIRED,
    kernel: str = "",
    sources: tuple[str, ...] = (),
    unit: str = "",
    kind: str = GAUGE,
    header: str = "",
    needs: str = "",
    of: Any = None,
    words: tuple[str, ...] = (),
    wire: str = "",
    base: int = 10,
    scope: str = "",
    optional: bool = False,
    shown: Mapping[str, str] = _AS_IT_IS,
    also: tuple[str, ...] = (),
) -> Any:
    """Declare a field of a :class:`Record`; see :class:`Field` for the arguments."""
    return Field(
        default, kernel, help, sources, unit, kind, header, needs, of, words, wire, base, scope, optional, shown, also
    )


class _RecordMeta(type):
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        fields: list[Field] = [f for base in bases for f in getattr(base, "FIELDS", ())]
        for key, value in list(namespace.items()):
            if type(value) is Field:
                value.name = key
                value.header = value.header or key.upper().replace("_", "-")
                namespace[key] = _tuplegetter(len(fields), value.help)
                fields.append(value)
        namespace.setdefault("__slots__", ())
        namespace["FIELDS"] = tuple(fields)
        namespace["_INDEX"] = {f.name: i for i, f in enumerate(fields)}
        namespace["_DEFAULTS"] = tuple(f.default for f in fields)
        namespace["__match_args__"] = tuple(f.name for f in fields)
        return super().__new__(cls, name, bases, namespace)


if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    class _Meta(type): ...

    class Record(metaclass=_Meta):
        """Base of the model's records."""

        FIELDS: ClassVar[tuple[Field, ...]]

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self: ...
        def _replace(self, **changes: Any) -> Self: ...
        def _asdict(self) -> Mapping[str, Any]: ...
        def _values(self) -> tuple[Any, ...]: ...

else:

    class Record(tuple, metaclass=_RecordMeta):  # noqa: SLOT001 - the metaclass sets __slots__
        """Base of the model's records."""

        def __new__(cls, *args, **named):
            """Build a record from positional and named values, as a dataclass would."""
            values = [*args, *cls._DEFAULTS[len(args) :]]
            for name, value in named.items():
                try:
                    values[cls._INDEX[name]] = value
                except KeyError:
                    raise TypeError(f"{cls.__name__} has no field {name!r}") from None
            if len(values) != len(cls._DEFAULTS):
                raise TypeError(f"{cls.__name__} takes {len(cls._DEFAULTS)} values, got {len(args)}")
            if REQUIRED in values:
                missing = [f.name for f, v in zip(cls.FIELDS, values, strict=True) if v is REQUIRED]
                raise TypeError(f"{cls.__name__} lacks {', '.join(missing)}")
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            return tuple.__new__(cls, values)

        def _replace(self, **changes):
            return type(self)(*self, **changes)

        def _asdict(self):
            return dict(zip(self._INDEX, self, strict=True))

        def _values(self):
            return tuple(self)

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            inner = ", ".join(f"{f.name}={v!r}" for f, v in zip(self.FIELDS, self, strict=True) if v is not None)
            return f"{type(self).__name__}({inner})"
