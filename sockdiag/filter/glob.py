r"""Shell patterns, as fnmatch(3) matches them without flags but case folding.

``*`` any text, ``?`` any character, ``[a-z]`` one of a set, ``[!a-z]`` or ``[^a-z]`` one not in it, ``\`` takes the next
character as it is. ``/`` and a leading dot are nothing special. For every pattern the time is at most proportional to the
product of the lengths.

Source: fnmatch(3), glob(7) of the C locale.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STAR = 0
_ANY = 1

_CLASSES: dict[str, Callable[[str], bool]] = {
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "digit": lambda c: c.isascii() and c.isdigit(),
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "upper": lambda c: c.isascii() and c.isupper(),
    "lower": lambda c: c.isascii() and c.islower(),
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
    "space": lambda c: c in " \t\n\v\f\r",
    "blank": lambda c: c in " \t",
    "punct": lambda c: c.isascii() and c.isprintable() and not c.isalnum() and c != " ",
    "print": lambda c: c.isascii() and c.isprintable(),
    "graph": lambda c: c.isascii() and c.isprintable() and c != " ",
    "cntrl": lambda c: c.isascii() and not c.isprintable(),
}

_LONGEST_CLASS = max(map(len, _CLASSES))


class _Set:
    # A bracket expression: characters, ranges, classes, negated or not.
    __slots__ = ("characters", "classes", "fold", "negated", "ranges")

    def __init__(self, *, negated: bool, fold: bool) -> None:
        self.negated = negated
        self.fold = fold
        self.characters = ""
        self.ranges: list[tuple[str, str]] = []
        self.classes: list[Callable[[str], bool]] = []

    def has(self, character: str) -> bool:
        found = self._has(character)
        if not found and self.fold and character.isascii():
            found = self._has(character.swapcase())
        return found != self.negated

    def _has(self, character: str) -> bool:
        return (
            character in self.characters
            or any(low <= character <= high for low, high in self.ranges)
            or any(is_one(character) for is_one in self.classes)
        )


def compile_glob(pattern: str, *, fold: bool = False) -> Callable[[str], bool]:
    """Return a function that tests whether a whole text matches *pattern*.

    Args:
        pattern: the pattern.
        fold: take ASCII letters of either case as the same.
    """
    parts = _parse(pattern, fold=fold)
    if parts is None:
        return lambda _text: False
    if not fold:
        literal = [part for part in parts if isinstance(part, str)]
        if len(literal) == len(parts):
            return "".join(literal).__eq__
    return lambda text: _matches(parts, _lower(text) if fold else text, text)


def _lower(text: str) -> str:
    # Folding must not change the length, so only ASCII is folded.
    return text.lower() if text.isascii() else "".join([c.lower() if c.isascii() else c for c in text])


def _parse(pattern: str, *, fold: bool) -> list[str | int | _Set] | None:
    parts: list[str | int | _Set] = []
    unclosed: set[int] = set()
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if not parts or parts[-1] != _STAR:
                parts.append(_STAR)
        elif character == "?":
            parts.append(_ANY)
        elif character == "[":
            found, at = _bracket(pattern, at, unclosed, fold=fold)
            parts.append(found)
        elif character == "\\":
            if at == len(pattern):
                return None
            parts.append(_lower(pattern[at]) if fold else pattern[at])
            at += 1
        else:
            parts.append(_lower(character) if fold else character)
    return parts


def _bracket(pattern: str, at: int, unclosed: set[int], *, fold: bool) -> tuple[str | _Set, int]:
    # Without its closing bracket the opening one is an ordinary character. Places from which none is found are kept in
    # *unclosed*: another bracket that comes to one of them need not look again.
    passed: list[int] = []
    start = at
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    found = _Set(negated=negated, fold=fold)
    first = True
    while at < len(pattern) and (first or at not in unclosed):
        character = pattern[at]
        if character == "]" and not first:
            return found, at + 1
        if not first:
            passed.append(at)
        first = False
        if character == "[" and pattern[at + 1 : at + 2] == ":":
            end = pattern.find(":]", at + 2, at + 2 + _LONGEST_CLASS + 2)
            name = pattern[at + 2 : end] if end >= 0 else ""
            if name in _CLASSES:
                found.classes.append(_CLASSES[name])
                at = end + 2
                continue
        low, at = _member(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
            found.ranges.append((low, high))
        else:
            found.characters += low
    unclosed.update(passed)
    return "[", start


def _member(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    return pattern[at], at + 1


def _matches(parts: list[str | int | _Set], text: str, original: str) -> bool:
    # On a mismatch only the last star need take one character more.
    part = at = 0
    star = -1
    resume = 0
    while at < len(text):
        wanted = parts[part] if part < len(parts) else None
        if wanted == _STAR:
            star, resume = part, at
            part += 1
        elif wanted is not None and (
            wanted == _ANY or (wanted.has(original[at]) if isinstance(wanted, _Set) else wanted == text[at])
        ):
            part += 1
            at += 1
        elif star >= 0:
            resume += 1
            part, at = star + 1, resume
        else:
            return False
    return all(p == _STAR for p in parts[part:])
