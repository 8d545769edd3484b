"""A textfile is whole or the old one, whatever goes wrong."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from sockdiag.metrics.textfile import replace_file
from tests.program import FIXTURES, invoke

WORLD = str(FIXTURES / "6.18-world")


def write(path: Path, *words: str) -> tuple[int, str]:
    answer = invoke("metrics", "--root", WORLD, "--textfile", str(path), *words)
    assert answer.out == b""
    return answer.status, answer.err


def test_it_is_what_the_collector_reads(tmp_path: Path) -> None:
    """The older format, without timestamps, readable by everybody, and nothing else in the folder."""
    path = tmp_path / "sockdiag.prom"
    mask = os.umask(0o077)
    try:
        assert write(path) == (0, "")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["sockdiag.prom"]
    text = path.read_text()
    samples = [s for metric in read_text(text) for s in metric.samples]
    assert len(samples) > 500
    assert not [s for s in samples if s.timestamp is not None]
    assert "# TYPE sockdiag_tcp_ext_listen_drops_total counter" in text
    assert text.endswith("\n")


def test_it_replaces_the_old_one(tmp_path: Path) -> None:
    """Whoever reads the old one reads on; its mode does not matter."""
    path = tmp_path / "sockdiag.prom"
    path.write_text("old")
    path.chmod(0o400)
    reader = path.open()
    assert write(path)[0] == 0
    assert reader.read() == "old"
    reader.close()
    assert path.read_text().startswith("# HELP")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_name_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is made where the program runs."""
    monkeypatch.chdir(tmp_path)
    assert write(Path("x.prom"))[0] == 0
    assert os.listdir(tmp_path) == ["x.prom"]


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "device"])
def test_what_is_no_file_stays(tmp_path: Path, kind: str) -> None:
    """Replacing /dev/null would break more than a graph."""
    path = tmp_path / "x.prom"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path = Path("/dev/null")
    before = path.lstat()
    status, said = write(path)
    assert status == 1
    assert said == f"sockdiag: cannot write {path}: not a regular file; the previous file was kept\n"
    assert path.lstat().st_ino == before.st_ino
    assert path.lstat().st_mode == before.st_mode


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not made."""
    path = tmp_path / "none" / "x.prom"
    assert write(path) == (
        1,
        f"sockdiag: cannot write {path}: No such file or directory; the previous file was kept\n",
    )
    assert os.listdir(tmp_path) == []


def test_nothing_read_leaves_the_old_one(tmp_path: Path) -> None:
    """A system that cannot be read does not empty the graph of yesterday."""
    path = tmp_path / "x.prom"
    path.write_text("old")
    (tmp_path / "empty").mkdir()
    answer = invoke("metrics", "--root", str(tmp_path / "empty"), "--textfile", str(path))
    assert answer.status == 1
    assert path.read_text() == "old"


def test_a_killed_run_leaves_the_old_one(tmp_path: Path) -> None:
    """SIGKILL between two writes; a run that comes later takes away what is left."""
    path = tmp_path / "x.prom"
    path.write_text("old")
    program = (
        "import os, sys, time\n"
        "write = os.write\n"
        "def slowly(fd, data):\n"
        "    n = write(fd, data[:100]); print('begun', flush=True); time.sleep(60); return n\n"
        "os.write = slowly\n"
        "from sockdiag.metrics.textfile import replace_file\n"
        "replace_file(sys.argv[1], 'new' * 1000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_text() == "old"
    (left,) = [name for name in os.listdir(tmp_path) if name != "x.prom"]
    assert not left.endswith(".prom")
    replace_file(str(path), "new")
    assert left in os.listdir(tmp_path)  # it may be another run's, that is under way
    long_ago = time.time() - 3600
    os.utime(tmp_path / left, (long_ago, long_ago))
    (tmp_path / ".y.prom.0a.tmp").write_text("")
    os.utime(tmp_path / ".y.prom.0a.tmp", (long_ago, long_ago))
    replace_file(str(path), "newer")
    assert sorted(os.listdir(tmp_path)) == [".y.prom.0a.tmp", "x.prom"]
    assert path.read_text() == "newer"


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """While several write, every reading is one of the texts, whole."""
    path = tmp_path / "x.prom"
    texts = [f"{n}" * 30_000 for n in range(4)]
    replace_file(str(path), texts[0])
    stop = threading.Event()

    def keep_writing(text: str) -> None:
        while not stop.is_set():
            replace_file(str(path), text)

    writers = [threading.Thread(target=keep_writing, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    try:
        for _ in range(60):
            assert path.read_text() in texts
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert os.listdir(tmp_path) == ["x.prom"]
