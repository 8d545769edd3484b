"""Run a command on several captures at once, and write one answer in which each row has its host.

Worker processes (``sockdiag.survey.host_workers``) run the command on one capture after the other and send its rows; here they
are put together and written. A capture that cannot be read is a gap that names it.
"""

from __future__ import annotations

import os

from sockdiag.cli import exit as status
from sockdiag.cli import options
from sockdiag.cli.host_rows import COLUMNS, REST, ROWS, TEXT, send
from sockdiag.cli.output import chosen_renderer
from sockdiag.errors import SockdiagError, SourceError, UsageError
from sockdiag.render.escape import printable
from sockdiag.render.table import no_formula

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Command
    from sockdiag.render.document import Document

# More of what a worker sends: exit status and gaps, a mistake in the command line.
_STATUS, _USAGE = "status", "usage"
# Rows of text that are kept to measure their columns; later ones are as wide as these.
_MEASURED = 20_000
_HOST = "host"
_SCREEN_GAPS = 10


def run_fleet(command: Command, args: Args, roots: Sequence[str], env: Env) -> int:
    """Run a command on several captures; return the exit status.

    Raises:
        UsageError: the command reads one system, or the command line has a mistake.
    """
    from sockdiag.survey.host_workers import HostWorkers

    if not command.many_hosts:
        raise UsageError(f"'{command.name}' reads one system, and --root stands for {len(roots)}")
    renderer = chosen_renderer(args)
    if renderer.option is options.TEMPLATE:
        raise UsageError("--format does not support several hosts; --ndjson and --csv do")
    env.watch()
    # Workers do not know the name that a host has among the others.
    asked = args.replaced(options.SORT, None) if _sorted_by_host(args) else args

    def task(root: str, emit: Any) -> None:
        _ask(command, asked.replaced(options.ROOT, (root,)), env, emit)

    answer = _FleetAnswer(command, args, env)
    workers = HostWorkers(roots, task)
    try:
        for number, root in enumerate(roots):
            answer.begin(root)
            try:
                for name, value in workers.parts(number):
                    answer.take(name, value)
            except SourceError as error:
                answer.miss(error)
        return answer.finish()
    finally:
        workers.close()


def _sorted_by_host(args: Args) -> bool:
    return (args.get(options.SORT) or "").removeprefix("-").lower() == _HOST


def _ask(command: Command, args: Args, env: Env, emit: Any) -> None:
    """Run the command on one capture; called in a worker."""
    env.taker = lambda this, document: _send(this, document, emit)
    try:
        begin = command.prepare(env, args) if command.prepare is not None else lambda: command.run(env, args)
        emit(_STATUS, begin())
    except SourceError:
        raise
    except UsageError as error:
        emit(_USAGE, error.of_command)
    except SockdiagError as error:
        raise SourceError(args[options.ROOT][0], str(error)) from None


def _send(this: Any, document: Document, emit: Any) -> None:
    send(this, document, emit)


class _FleetAnswer:
    """One answer about several hosts, written as they come."""

    def __init__(self, command: Command, args: Args, env: Env) -> None:
        self._command = command
        self._args = args
        self._env = env
        self._renderer = chosen_renderer(args)
        self._hosts: list[dict[str, Any]] = []
        self._labels: set[str] = set()
        self._keys: dict[str, Any] = {}
        self._gaps: list[dict[str, Any]] = []
        self._statuses: list[int] = []
        self._rows: _HostRows = _rows_of(args, env)
        self._root = ""
        # Of the host at hand: what comes before its name is known, and what it is in the end.
        self._held: list[tuple[str, Any]] = []
        self._host: dict[str, Any] | None = None

    def begin(self, root: str) -> None:
        """Begin with a capture."""
        self._root = root
        self._host = None
        self._held.clear()

    def take(self, name: str, value: Any) -> None:
        """Take a part of the answer about the capture at hand."""
        if name == _USAGE:
            raise UsageError(value)
        if name == _STATUS:
            self._statuses.append(value)
            return
        if name == COLUMNS:
            self._host = {_HOST: self._label(value[2]), "root": self._root}
            self._rows.begin(self._host[_HOST], value[0], value[1])
            return
        assert self._host is not None
        if name == REST:
            self._rest(value)
        else:
            self._rows.add(value if name == ROWS else (None, value), text=name == TEXT)

    def miss(self, error: SourceError) -> None:
        """Note that a capture could not be read, or not to its end."""
        host = self._host or {_HOST: self._label(None), "root": self._root}
        reason = error.reason if error.source in ("", self._root) else str(error)
        self._gaps.append({"source": self._root, "reason": reason, "errno": error.errno, "hint": error.hint})
        if self._host is None or self._host not in self._hosts:
            self._hosts.append({**host, "complete": False, "error": reason})
        self._statuses.append(status.FAILED)

    def finish(self) -> int:
        """Write what is left, report gaps, and return the exit status."""
        self._rows.finish(self)
        self._report()
        if all(one == status.FAILED for one in self._statuses):
            return status.FAILED
        if status.FINDINGS in self._statuses:
            return status.FINDINGS
        return status.PARTIAL if self._args.get(options.STRICT) and self._gaps else status.OK

    def verdicts(self) -> dict[str, int]:
        """Return the number of hosts by verdict, the worst first; none if the command gives no verdict."""
        from sockdiag.model.finding import VERDICTS

        given = [host["verdict"] for host in self._hosts if "verdict" in host]
        found = {verdict: given.count(verdict) for verdict in VERDICTS if verdict in given}
        unread = sum(host["error"] is not None for host in self._hosts)
        return {**found, "not read": unread} if found and unread else found

    def head(self) -> dict[str, Any]:
        """Return the keys of the document but the rows."""
        from datetime import UTC, datetime

        now = datetime.fromtimestamp(self._env.clock(), UTC).isoformat(timespec="milliseconds")
        return {
            "schema": f"sockdiag.{self._command.name}/1",
            "generated_at": now.replace("+00:00", "Z"),
            _HOST: {"hostname": None, "kernel": None, "boot_id": None},
            "scope": {"root": None, "netns": [], "sources": {}},
            "complete": not self._gaps,
            "gaps": self._gaps,
            "hosts": self._hosts,
            **self._keys,
        }

    def _label(self, hostname: str | None) -> str:
        """Return a name for a host that no other one has: its own, if need be with that of its capture."""
        file = os.path.basename(os.path.normpath(self._root))
        for label in (hostname or file, f"{hostname}@{file}" if hostname else self._root, self._root):
            if label not in self._labels:
                break
        self._labels.add(label)
        return label

    def _rest(self, value: dict[str, Any]) -> None:
        assert self._host is not None
        head, label = value["head"], self._host[_HOST]
        for gap in head["gaps"]:
            self._gaps.append({**gap, "source": f"{label}: {gap['source']}"})
        kept = {key: head[key] for key in ("complete", "generated_at", "scope")}
        self._host.update({**head[_HOST], **kept, "error": None})
        self._host |= {key: one for key, one in value["keys"].items() if not isinstance(one, (list, dict))}
        self._hosts.append(self._host)
        self._keys = _merged(self._keys, value["keys"], label, first=len(self._hosts) == 1 or not self._keys)

    def _report(self) -> None:
        # A gap that many hosts have is one line.
        by_reason: dict[tuple[str, str, str], list[str]] = {}
        for gap in self._gaps:
            label, _colon, source = gap["source"].partition(": ")
            key = (source or "", gap["reason"], gap["hint"]) if source else (label, gap["reason"], gap["hint"])
            by_reason.setdefault(key, []).append(label)
        for (source, reason, hint), labels in list(by_reason.items())[:_SCREEN_GAPS]:
            where = labels[0] if len(labels) == 1 else f"{len(labels)} hosts"
            about = printable(source) if source in labels else f"{printable(where)}: {printable(source)}"
            self._env.warn(f"could not read {about}: {printable(reason)}{f' ({printable(hint)})' if hint else ''}")
        if len(by_reason) > _SCREEN_GAPS:
            self._env.warn(f"could not read {len(by_reason) - _SCREEN_GAPS} more sources; --json lists all")


def _merged(old: dict[str, Any], new: dict[str, Any], label: str, *, first: bool) -> dict[str, Any]:
    """Merge the keys of documents: the worst verdict, lists with their host, sums of numbers, and what all have in common."""
    from sockdiag.model.finding import worst_verdict

    found = dict(old)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, list):
            rows = [{_HOST: label, **one} if isinstance(one, dict) else one for one in value]
            found[key] = [*(before or ()), *rows]
        elif isinstance(value, dict):
            found[key] = _merged(before or {}, value, label, first=first)
        elif key == "verdict" and before is not None:
            found[key] = worst_verdict((before, value))
        elif type(value) is int and type(before) is int:
            found[key] = before + value
        else:
            found[key] = value if first or before == value else None
    return found


def _rows_of(args: Args, env: Env) -> _HostRows:
    option = chosen_renderer(args).option
    if option is options.JSON or option is options.NDJSON:
        return _JsonRows(args, env, document=option is options.JSON)
    if option is options.CSV:
        return _CsvRows(args, env)
    return _TextRows(args, env)


class _HostRows:
    """Rows of several hosts, in the order of the hosts, or sorted if they come with keys."""

    def __init__(self, args: Args, env: Env) -> None:
        self._env = env
        self._limit = args.get(options.LIMIT)
        self._descending = (args.get(options.SORT) or "").startswith("-")
        self._by_host = _sorted_by_host(args)
        self._header = not args.get(options.NO_HEADER)
        self._style = args.get(options.TABLE)
        self._count = 0
        self._sorted: list[tuple[Any, Any]] = []
        self.label = ""
        self.table_key = ""

    def begin(self, label: str, columns: list[tuple[str, str, bool]], table_key: str) -> None:
        """Begin with a host."""
        self.label = label
        self.table_key = table_key
        self.columns(columns)

    def columns(self, columns: list[tuple[str, str, bool]]) -> None:
        """Take the columns of the host."""

    def add(self, part: tuple[list[Any] | None, Any], *, text: bool) -> None:
        """Take some rows, with their keys or without; or text of many."""
        keys, rows = part
        if text and self._limit is None and not self._by_host:
            self.write_text(rows)
            return
        prepared = [self.row(row) for row in (self.split(rows) if text else rows)]
        if self._by_host:
            self._sorted += ((self.label, row) for row in prepared)
        elif keys is None:
            self.write(self._within(prepared))
        else:
            self._sorted += zip(keys, prepared, strict=True)

    def _within(self, rows: list[Any]) -> list[Any]:
        if self._limit is not None:
            rows = rows[: max(self._limit - self._count, 0)]
        self._count += len(rows)
        return rows

    def flush(self) -> None:
        """Write the rows that had to be sorted; unknown values come last."""
        known = [pair for pair in self._sorted if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=self._descending)
        rows = [row for _key, row in known] + [row for key, row in self._sorted if key is None]
        self.write(self._within(rows))

    def row(self, row: Any) -> Any:
        """Return a row with its host."""
        raise NotImplementedError

    def write(self, rows: list[Any]) -> None:
        """Write rows that have their host."""
        raise NotImplementedError

    def write_text(self, text: str) -> None:
        """Write lines that do not have it."""
        self.write([self.row(row) for row in self.split(text)])

    def split(self, text: str) -> Iterable[Any]:
        """Return the rows of a text."""
        raise NotImplementedError

    def finish(self, answer: _FleetAnswer) -> None:
        """Write what is left."""
        raise NotImplementedError


class _JsonRows(_HostRows):
    def __init__(self, args: Args, env: Env, *, document: bool) -> None:
        super().__init__(args, env)
        self._document = document
        self._begun = False

    def begin(self, label: str, columns: list[tuple[str, str, bool]], table_key: str) -> None:
        from json import dumps

        super().begin(label, columns, table_key)
        self._prefix = f'{{"{_HOST}":{dumps(label)},'

    def row(self, row: Any) -> str:
        text: str = row
        return self._prefix + text[1:] if text != "{}" else self._prefix[:-1] + "}"

    def write(self, rows: list[Any]) -> None:
        if rows:
            self._lines("\n".join(rows))

    def split(self, text: str) -> list[str]:
        return text[:-1].split("\n")

    def write_text(self, text: str) -> None:
        self._lines(self._prefix + text[1:-1].replace("\n{", "\n" + self._prefix))

    def _lines(self, text: str) -> None:
        if self._document:
            self._open()
            self._env.write(("\n" if not self._begun else ",\n") + text.replace("\n", ",\n"))
        else:
            self._env.write(text + "\n")
        self._begun = True

    def _open(self) -> None:
        if not self._begun:
            from json import dumps

            self._env.write(f"{{\n{dumps(self.table_key)}: [")

    def finish(self, answer: _FleetAnswer) -> None:
        from json import dumps

        self.flush()
        if not self._document:
            return
        keys = answer.head()
        if self._begun:
            self._env.write("\n],\n")
        else:
            self._env.write("{\n" + (f"{dumps(self.table_key)}: [\n],\n" if self.table_key else ""))
        lines = [f"{dumps(key)}: {dumps(value, separators=(',', ':'))}" for key, value in keys.items()]
        self._env.write(",\n".join(lines) + "\n}\n")


class _TableRows(_HostRows):
    """Rows of cells; hosts may have different columns, which the first of them decide."""

    def __init__(self, args: Args, env: Env) -> None:
        super().__init__(args, env)
        self._names: dict[str, tuple[str, bool]] = {_HOST: (_HOST.upper(), False)}
        self._places: list[str] = []
        self._fixed = False
        self._kept: list[dict[str, str]] = []

    def columns(self, columns: list[tuple[str, str, bool]]) -> None:
        self._places = [name for name, _heading, _right in columns]
        for name, heading, right in columns:
            # The key of --by host is the host.
            if not self._fixed and heading != _HOST.upper():
                self._names.setdefault(name, (heading, right))

    def row(self, row: Any) -> Any:
        return {
            _HOST: self.label,
            **{name: cell for name, cell in zip(self._places, row, strict=True) if name in self._names},
        }

    def write(self, rows: list[Any]) -> None:
        if self._fixed:
            self.lines(rows)
            return
        self._kept += rows
        if len(self._kept) >= _MEASURED:
            self._fix()

    def _fix(self) -> None:
        self._fixed = True
        self.measure(self._kept)
        self.head()
        self.lines(self._kept)
        self._kept = []

    def measure(self, rows: list[dict[str, str]]) -> None:
        """Measure the columns by the first rows."""

    def head(self) -> None:
        """Write the heading line."""
        raise NotImplementedError

    def lines(self, rows: Iterable[dict[str, str]]) -> None:
        """Write rows."""
        raise NotImplementedError

    def finish(self, answer: _FleetAnswer) -> None:
        self.flush()
        if not self._fixed and len(self._names) > 1:
            self._fix()
        self.end(answer)

    def end(self, answer: _FleetAnswer) -> None:
        """Write what follows the rows."""


class _CsvRows(_TableRows):
    def split(self, text: str) -> Iterable[list[str]]:
        from csv import reader
        from io import StringIO

        return reader(StringIO(text, newline=""))

    def write_text(self, text: str) -> None:
        if not self._fixed:
            self._fix()
        if self._places != list(self._names)[1:]:
            super().write_text(text)
            return
        label = self._line([no_formula(printable(self.label))])[:-2] + ","
        # Cells hold no line breaks: those of names are escaped.
        self._env.write(label + text[:-2].replace("\r\n", "\r\n" + label) + "\r\n")

    def head(self) -> None:
        if self._header:
            self._write([list(self._names)])

    def lines(self, rows: Iterable[dict[str, str]]) -> None:
        names = list(self._names)[1:]
        self._write([no_formula(printable(row[_HOST])), *(row.get(name, "") for name in names)] for row in rows)

    def _write(self, rows: Iterable[Sequence[str]]) -> None:
        self._env.write("".join(map(self._line, rows)))

    def _line(self, row: Sequence[str]) -> str:
        from csv import writer
        from io import StringIO

        text = StringIO()
        writer(text, lineterminator="\r\n").writerow(row)
        return text.getvalue()


class _TextRows(_TableRows):
    def measure(self, rows: list[dict[str, str]]) -> None:
        from sockdiag.render.escape import width

        self._widths = {name: len(heading) if self._header else 0 for name, (heading, _right) in self._names.items()}
        for row in rows:
            for name in self._names:
                size = width(self._cell(row, name))
                self._widths[name] = max(self._widths[name], size)

    def head(self) -> None:
        if self._header and self._style is None:
            self._out([[heading for heading, _right in self._names.values()]])

    def end(self, answer: _FleetAnswer) -> None:
        verdicts = answer.verdicts()
        if verdicts and self._style is None:
            from sockdiag.model.quantity import counted

            said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
            self._env.write(f"\n{counted(sum(verdicts.values()), 'host')}: {said}\n")

    def _cell(self, row: dict[str, str], name: str) -> str:
        return printable(row[_HOST]) if name == _HOST else row.get(name, "-")

    def lines(self, rows: Iterable[dict[str, str]]) -> None:
        cells = ([self._cell(row, name) for name in self._names] for row in rows)
        if self._style is None:
            self._out(cells)
            return
        from tabulate import tabulate

        headings = [heading for heading, _right in self._names.values()] if self._header else []
        self._env.write(tabulate(list(cells), headers=headings, tablefmt=self._style, disable_numparse=True) + "\n")

    def _out(self, rows: Iterable[Sequence[str]]) -> None:
        from sockdiag.render.escape import width

        right = [right for _heading, right in self._names.values()]
        sizes = list(self._widths.values())
        last = len(sizes) - 1

        def line(row: Sequence[str]) -> str:
            padded = []
            for place, (text, size, to_right) in enumerate(zip(row, sizes, right, strict=True)):
                blanks = " " * (size - (len(text) if text.isascii() else width(text)))
                padded.append(blanks + text if to_right else text if place == last else text + blanks)
            return "  ".join(padded).rstrip() + "\n"

        self._env.write("".join(map(line, rows)))
