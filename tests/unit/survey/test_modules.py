"""Tables whose handler is a module that is not loaded: read from /proc, with a gap that names the module."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag import open_system
from sockdiag.cli import options
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.quick import parse
from sockdiag.cli.survey_options import load_modules
from sockdiag.errors import ModuleMissing, UsageError
from sockdiag.model.batch import all_sockets
from sockdiag.sources.proc.socket_tables import uncounted
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.survey.options import SurveyOptions
from sockdiag.survey.sample import take_sample
from sockdiag.survey.survey import Survey
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.transport import Request


READING = [name for name in ("", *COMMANDS) if options.SOURCE in load(name).options and not load(name).arguments]


class WithoutModules:
    """A kernel that has no handler; *unasked* as --load-modules never finds that."""

    def __init__(self, unasked: bool) -> None:
        self.errno = None if unasked else errno.ENOENT

    def dump(self, request: Request) -> Iterator[bytes]:
        raise ModuleMissing(request.source, "the module x_diag is not loaded", self.errno, "modprobe x_diag")
        yield b""

    query = dump


@pytest.fixture
def files(tmp_path: Path) -> ProcRoot:
    shutil.copytree(FIXTURES / "6.18-world" / "proc", tmp_path / "proc", symlinks=True)
    return ProcRoot(str(tmp_path))


def survey(files: ProcRoot, unasked: bool, *netids: str) -> Survey:
    return Survey(System(files, WithoutModules(unasked)), SurveyOptions(netids=netids))


@pytest.mark.parametrize("unasked", [True, False])
def test_the_gap_names_the_module_and_the_command(files: ProcRoot, unasked: bool) -> None:
    seen = survey(files, unasked, "tcp")
    assert [s.source for s in all_sockets(seen.batches(seen.query()))]
    assert seen.sources == {"tcp": "proc"}
    (gap,) = seen.gaps
    assert gap.source.startswith("netlink:inet_diag_tcp")
    assert (gap.reason, gap.hint) == ("the module x_diag is not loaded", "modprobe x_diag")


@pytest.mark.parametrize(("unasked", "gaps"), [(True, 1), (False, 0)])
def test_an_empty_table_lacks_nothing_unless_it_was_not_asked_for(files: ProcRoot, unasked: bool, gaps: int) -> None:
    for name in ("raw", "raw6"):
        path = Path(files.root, "proc/net", name)
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    seen = survey(files, unasked, "raw")
    assert not list(all_sockets(seen.batches(seen.query())))
    assert len(seen.gaps) == gaps


def test_rules_name_the_module_too(files: ProcRoot) -> None:
    sample = take_sample(survey(files, True, "tcp", "udp"))
    assert sample.absent["skmem:tcp"] == "the module x_diag is not loaded"
    # /proc has all of their sockets.
    assert "some tcp" not in sample.absent
    assert "tcp" not in sample.absent


def test_vsock_sockets_are_not_counted(files: ProcRoot) -> None:
    """Where the family is there, its table may have sockets."""
    system = System(files, WithoutModules(True))
    path = Path(files.root, "proc/net/protocols")
    rows = [line for line in path.read_bytes().splitlines(keepends=True) if not line.startswith(b"AF_VSOCK")]
    # NAME size sockets memory …
    row = b"AF_VSOCK   1272      0" + next(line for line in rows if line.startswith(b"PING "))[22:]
    for content, known in ((rows, False), ([*rows, row], True)):
        path.write_bytes(b"".join(content))
        assert uncounted(system, "vsock") is known
        assert not uncounted(system, "tcp")
        seen = Survey(system)
        list(seen.batches(seen.query()))
        assert any(gap.source == "netlink:vsock_diag" for gap in seen.gaps) is known


@pytest.mark.parametrize(
    ("words", "variable", "asked"),
    [
        ((), None, "auto"),
        ((), "", "auto"),
        ((), "never", "never"),
        (("--load-modules", "never"), None, "never"),
        (("--load-modules", "auto"), "never", "auto"),
    ],
)
def test_the_option_precedes_the_environment(words: tuple[str, ...], variable: str | None, asked: str) -> None:
    environ = {} if variable is None else {"SOCKDIAG_LOAD_MODULES": variable}
    for name in READING:
        args = parse(load(name), list(words))
        assert args is not None
        assert load_modules(args, environ) == asked


def test_another_word_in_the_environment_is_refused() -> None:
    """What a misspelt never forbids must not happen."""
    args = parse(load("states"), [])
    assert args is not None
    with pytest.raises(UsageError, match=r"SOCKDIAG_LOAD_MODULES: .*'never'"):
        load_modules(args, {"SOCKDIAG_LOAD_MODULES": "nver"})


def test_every_command_that_reads_sockets_has_the_option() -> None:
    assert {"", "check", "doctor", "list", "metrics", "states", "traffic"} <= set(READING)
    for name in ("", *COMMANDS):
        declared = load(name).options
        # kill has no choice of a source: only netlink names what it closes.
        assert (options.MODULES in declared) == (options.SOURCE in declared or name == "kill"), name


@pytest.mark.parametrize("word", ["auto", "never"])
def test_the_python_argument(word: str) -> None:
    assert (open_system(load_modules=word).system.modules is None) == (word == "auto")
    with pytest.raises(UsageError, match="load_modules"):
        open_system(load_modules="nver")


def test_a_capture_loads_nothing() -> None:
    with_option, without = (
        json.loads(invoke("list", "--json", *words, "--root", str(FIXTURES / "6.18-world")).out)
        for words in (("--load-modules", "never"), ())
    )
    assert with_option == without
