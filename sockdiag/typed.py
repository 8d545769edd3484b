"""A base for generic classes that costs nothing at run time: importing ``typing`` takes longer than ``sockdiag states``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    T = TypeVar("T")

    class Typed(Generic[T]):
        """Base of classes with a type parameter: ``class Option(Typed["T"])``."""

else:

    class Typed:
        """Base of classes with a type parameter: ``class Option(Typed["T"])``."""

        __slots__ = ()

        def __class_getitem__(cls, _parameter):
            return cls
