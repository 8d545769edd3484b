"""Names of users, of this system and of a captured one."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from sockdiag.sources.process.passwd import Users, parse_passwd
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BODY = b"""root:x:0:0:root:/root:/bin/bash
toor:x:0:0::/root:/bin/sh
# old:x:5:5::/:/bin/sh
+nis:x:6:6::/:/bin/sh
-nis:x:7:7::/:/bin/sh
:x:8:8::/:/bin/sh
short:x:9
word:x:ten:10::/:/bin/sh
huge:x:99999999999:10::/:/bin/sh
signed:x:-1:10::/:/bin/sh
caf\xe9:x:1001:1001::/:/bin/sh
last:x:4294967294:0::/:/bin/sh"""


def test_parse() -> None:
    """The first name of an id counts; what is no entry names nobody."""
    assert parse_passwd(BODY) == {0: "root", 1001: "caf\udce9", 4294967294: "last"}


def test_captured(tmp_path: Path) -> None:
    """A captured system is asked in its own file, and never in this system's."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(b"admin:x:0:0::/:/bin/sh\n")
    users = Users(open_root(str(tmp_path)))
    assert (users.name(0), users.label(0)) == ("admin", "admin")
    assert (users.name(1), users.label(1)) == (None, "1")


def test_captured_without_passwd(tmp_path: Path) -> None:
    """Without the file users go by number."""
    assert Users(open_root(str(tmp_path))).label(0) == "0"


def test_live_asks_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """NSS may be slow: a user is looked up once, also one that has no name."""
    asked = []

    def getpwuid(uid: int) -> pwd.struct_passwd:
        asked.append(uid)
        if uid:
            raise KeyError(uid)
        return real(0)

    real = pwd.getpwuid
    expected = real(0).pw_name
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    users = Users(ProcRoot())
    assert [users.label(0), users.label(0), users.label(77), users.label(77)] == [expected, expected, "77", "77"]
    assert asked == [0, 77]


def test_live_out_of_range() -> None:
    """A number that is no user id has no name."""
    assert Users(ProcRoot()).name(1 << 40) is None
    assert Users(ProcRoot()).name(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name
