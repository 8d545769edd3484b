"""Bundles as a whole: how they are recognised, which source comes first, conversion, and what leads outside."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.program import invoke

SS = """Netid State  Recv-Q Send-Q Local Address:Port     Peer Address:Port    Process
tcp   LISTEN 3      2      0.0.0.0:80           0.0.0.0:*            users:(("nginx",pid=7,fd=6)) ino:99 sk:1f <->
\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d4) cubic cwnd:10
"""
NETSTAT = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
tcp        3      0 0.0.0.0:80              0.0.0.0:*               LISTEN      0          99         7/nginx: master      off (0.00/0/0)
"""
PROC = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000:0050 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0\n"
)
PS = "  PID  PPID USER GROUP LWP NLWP START COMMAND CGROUP\n  7 1 root root 7 1 10:34 nginx 0::/system.slice/nginx.service\n"
NETWORKING = "sos_commands/networking"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def sosreport(folder: Path, **texts: str) -> Path:
    files = {"sos_commands/process/ps_axo_pid_ppid": PS, "sos_commands/kernel/uname_-a": "Linux web 6.1.0 #1\n"}
    files["sos_commands/kernel/sysctl_-a"] = "net.core.somaxconn = 4096\n"
    names = {"ss": "ss_-peaonmi", "netstat": "netstat_-W_-neopa"}
    files |= {f"{NETWORKING}/{names[name]}": text for name, text in texts.items() if name in names}
    if "proc" in texts:
        files["proc/net/tcp"] = texts["proc"]
    return write(folder / "sosreport-web", files)


def document(*words: str) -> dict[str, Any]:
    done = invoke(*words, "--json")
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def listener(root: Path) -> dict[str, Any]:
    found = document("list", "--root", str(root), "--netid", "tcp", "-o", "+processes,skmem,inode")
    (socket,) = found["sockets"]
    return {**socket, "gaps": [gap["source"] for gap in found["gaps"]]}


def test_text_of_ss_comes_first(tmp_path: Path) -> None:
    sosreport(tmp_path, ss=SS, netstat=NETSTAT, proc=PROC)
    found = listener(tmp_path)
    assert (found["source"], found["send_q"], found["gaps"]) == ("ss", 2, [])
    assert found["processes"] == [
        {"pid": 7, "comm": "nginx", "fd": 6, "user": None, "container": None, "unit": "nginx.service"}
    ]


def test_proc_with_the_owners_of_netstat(tmp_path: Path) -> None:
    sosreport(tmp_path, netstat=NETSTAT, proc=PROC)
    found = listener(tmp_path)
    assert (found["source"], found["send_q"], found["recv_q"]) == ("proc", None, 3)
    assert [(o["pid"], o["comm"], o["fd"], o["unit"]) for o in found["processes"]] == [
        (7, "nginx", None, "nginx.service")
    ]
    assert "ss -peaonmi" in found["gaps"]


def test_netstat_alone(tmp_path: Path) -> None:
    sosreport(tmp_path, netstat=NETSTAT)
    assert (listener(tmp_path)["source"], listener(tmp_path)["send_q"]) == ("netstat", None)


def test_archive(tmp_path: Path) -> None:
    folder = sosreport(tmp_path / "made", ss=SS, proc=PROC)
    with tarfile.open(tmp_path / "sos.tar.xz", "w:xz") as archive:
        archive.add(folder, folder.name)
    assert listener(tmp_path / "sos.tar.xz") == listener(tmp_path / "made")


def test_limits_and_host_come_from_text(tmp_path: Path) -> None:
    sosreport(tmp_path, ss=SS)
    found = document("limits", "--root", str(tmp_path))
    assert found["host"]["hostname"] == "web"
    assert {row["value"] for row in found["limits"] if row["name"] == "net.core.somaxconn"} == {4096}


@pytest.mark.parametrize(("text", "source"), [(SS, "ss"), (NETSTAT, "netstat")])
def test_saved_text(text: str, source: str, tmp_path: Path) -> None:
    write(tmp_path, {"saved.txt": text})
    found = listener(tmp_path / "saved.txt")
    assert (found["source"], found["local"]["port"], found["inode"]) == (source, 80, 99)
    assert "saved.txt" in found["gaps"]


def test_dump_of_ss(tmp_path: Path) -> None:
    """The file that ``ss -D`` of iproute2 wrote for its own tests reads as itself; here, a recorded answer."""
    recorded = Path(__file__).parents[3] / "fixtures/6.18-world"
    dump = (recorded / "netlink/inet_diag_tcp.nl").read_bytes()
    (tmp_path / "dump").write_bytes(dump)
    rows = document("list", "--root", str(tmp_path / "dump"), "--netid", "tcp")["sockets"]
    known = document("list", "--root", str(recorded), "--netid", "tcp")["sockets"]
    assert [row["cookie"] for row in rows] == [row["cookie"] for row in known if row["family"] == "AF_INET"]


def test_dump_of_both_families_counts_each_socket_once(tmp_path: Path) -> None:
    """``ss -D`` writes IPv4 and IPv6 to one file; whoever asks for both in one question gets them once."""
    recorded = Path(__file__).parents[3] / "fixtures/6.18-world"
    dump = b"".join((recorded / f"netlink/inet_diag_{name}.nl").read_bytes() for name in ("tcp", "tcp6"))
    (tmp_path / "dump").write_bytes(dump)
    counted, known = (
        document("states", "--root", str(root), "--netid", "tcp")["states"] for root in (tmp_path / "dump", recorded)
    )
    assert {row["family"] for row in counted} == {"AF_INET", "AF_INET6"}
    assert counted == known


def test_log_collector_of_eks(tmp_path: Path) -> None:
    write(tmp_path, {"sysctls/sysctl_all.txt": "net.core.somaxconn = 128\n", "system/netstat.txt": NETSTAT})
    assert listener(tmp_path)["source"] == "netstat"


def test_a_converted_bundle_answers_as_the_bundle(tmp_path: Path) -> None:
    sosreport(tmp_path / "made", ss=SS, netstat=NETSTAT, proc=PROC)
    for target in ("case.tar.gz", "case"):
        assert invoke("capture", "--from", str(tmp_path / "made"), str(tmp_path / target)).status == 0
        assert listener(tmp_path / target) == listener(tmp_path / "made")


def test_conversion_writes_through_no_link(tmp_path: Path) -> None:
    """A folder that is made of text, in the place of a link that leads out, is a folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    bundle = sosreport(tmp_path / "made", ss=SS)
    (bundle / "proc").mkdir()
    (bundle / "proc/sys").symlink_to(outside)
    (bundle / "proc/7").symlink_to("../../outside")
    assert invoke("capture", "--from", str(tmp_path / "made"), str(tmp_path / "case")).status == 0
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("body", [b"", b"\0" * 100, b"Netid", SS.encode()[:60], b"tcp LISTEN 0 1 x y\n" * 10])
def test_damaged_text_is_no_traceback(body: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(body)
    done = invoke("list", "--root", str(tmp_path / "x"))
    assert done.status in (0, 1)
    assert "Traceback" not in done.err
