"""Bundles as their collectors lay them out: supportconfig, the log collector of EKS, and sos with network namespaces.

Source: bin/supportconfig of supportutils; eks-log-collector.sh of amazon-eks-ami; report/plugins/networking.py of sos.
"""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

PROC = FIXTURES / "6.18-world/proc"
COMMAND, FILE = (
    "#==[ Command ]======================================#",
    "#==[ Configuration File ]===========================#",
)
SS = """Netid State  Recv-Q Send-Q Local Address:Port     Peer Address:Port    Process
udp   UNCONN 0      0      127.0.0.1:53         0.0.0.0:*            users:(("dnsmasq",pid=9,fd=4))
tcp   LISTEN 3      2      0.0.0.0:80           0.0.0.0:*            users:(("nginx",pid=7,fd=6))
"""
NSTAT = "#kernel\nIpInReceives                    5                  0.0\nTcpExtListenOverflows           {}                  0.0\n"
SAID = "TcpExt:\n    {} times the listen queue of a socket overflowed\n"
NETSTAT = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      31/sshd
"""
WIDE = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
tcp        3      0 0.0.0.0:{port}              0.0.0.0:*               LISTEN      0          99         7/nginx: master      off (0.00/0/0)
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def document(*words: str) -> dict[str, Any]:
    done = invoke(*words, "--json")
    # 1: nothing could be read, which the gaps say; 3: findings.
    assert done.status in (0, 1, 3), done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def counter(root: Path, name: str, *words: str) -> int | None:
    stages = document("path", "--root", str(root), "--interval", "0", *words)["stages"]
    return {row["name"]: row["value"] for stage in stages for row in stage["counters"]}.get(name)


def said(*parts: tuple[str, str]) -> str:
    return "".join(f"{COMMAND}\n# {command}\n{text}\n\n" for command, text in parts)


def supportconfig(folder: Path) -> Path:
    top = folder / "scc_web_261201_0437"
    kept = "".join(
        f"{FILE}\n# /proc/net/{name}\n{(PROC / 'net' / name).read_text()}\n\n"
        for name in ("snmp", "netstat", "sockstat")
    )
    return write(
        top,
        {
            "basic-environment.txt": "=====\n"
            + said(("/bin/uname -a", "Linux web 6.4.0-150600.21-default #1 SMP x86_64")),
            "supportconfig.txt": "Supportutils\n",
            "env.txt": said(("/sbin/sysctl -a", "net.core.somaxconn = 4096\nnet.ipv4.ip_forward = 1")),
            "proc.txt": kept + f"{FILE}\n# /proc/net/nothing - File not found\n",
            "network.txt": said(
                ("/usr/sbin/ss -s", "Total: 2\n"),
                ("/usr/sbin/ss -nap", SS),
                ("/sbin/nstat -az", NSTAT.format(17)),
                ("/usr/sbin/ip netns list", "blue (id: 0)\n"),
            ),
            "network-blue.txt": "#==[ Network namespace blue ]======================#\n"
            + said(
                ("/usr/sbin/ip netns exec blue ss -nap", SS.replace(":80 ", ":81 ")),
                ("/usr/sbin/ip netns exec blue nstat -az", NSTAT.format(4)),
            ),
        },
    )


@pytest.fixture(params=["folder", "archive", "converted"])
def suse(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    top = supportconfig(tmp_path / "made")
    if request.param == "archive":
        with tarfile.open(tmp_path / "scc.txz", "w:xz") as archive:
            archive.add(top, top.name)
        return tmp_path / "scc.txz"
    if request.param == "converted":
        assert invoke("capture", "--from", str(top), str(tmp_path / "case.tar.gz")).status == 0
        return tmp_path / "case.tar.gz"
    return top


def test_supportconfig(suse: Path) -> None:
    found = document("list", "--root", str(suse), "-o", "+processes")
    ends = [(s["netid"], s["local"]["port"], s["recv_q"], s["processes"][0]["comm"]) for s in found["sockets"]]
    assert sorted(ends) == [("tcp", 80, 3, "nginx"), ("udp", 53, 0, "dnsmasq")]
    assert (found["host"]["hostname"], found["host"]["kernel"]) == ("web", "6.4.0-150600.21-default")
    assert {s["source"] for s in found["sockets"]} == {"ss"}
    limits = {row["name"]: row["value"] for row in document("limits", "--root", str(suse))["limits"]}
    assert limits["net.core.somaxconn"] == 4096
    # /proc as it was comes before what nstat printed of it.
    real = (PROC / "net/netstat").read_text().splitlines()
    names, values = (line.split()[1:] for line in real[:2])
    assert counter(suse, "TcpExt.ListenOverflows") == int(values[names.index("ListenOverflows")])


def test_owners_that_a_text_without_inodes_names(suse: Path) -> None:
    """``ss -nap`` shows no inode: every command takes the process that the row names."""
    by_process = document("states", "--by", "process", "--root", str(suse))["groups"]
    assert sorted((row["pid"], row["count"]) for row in by_process) == [(7, 1), (9, 1)]
    port = document("port", "80", "--root", str(suse))
    assert [[one["pid"] for one in row["processes"]] for row in port["uses"]] == [[7]]
    (full,) = (
        f
        for f in document("doctor", "--root", str(suse), "--interval", "0")["findings"]
        if f["code"] == "ACCEPT_QUEUE_FULL"
    )
    assert (full["subject"]["pid"], [one["pid"] for one in full["suspects"]]) == (7, [7])
    listed = document("list", "--root", str(suse), "--where", "process=dnsmasq")["sockets"]
    assert [row["local"]["port"] for row in listed] == [53]


def test_namespaces_of_supportconfig(suse: Path) -> None:
    found = document("list", "--root", str(suse), "--netns", "all", "--netid", "tcp")
    assert sorted((s["netns"] or "", s["local"]["port"]) for s in found["sockets"]) == [("", 80), ("blue", 81)]
    assert [space["name"] for space in found["scope"]["netns"]] == [None, "blue"]
    assert [space["inode"] for space in found["scope"]["netns"]] == [None, None]
    assert counter(suse, "TcpExt.ListenOverflows", "--netns", "blue") == 4
    inside = document("limits", "--root", str(suse), "--netns", "blue")
    # What sysctl printed elsewhere says nothing of what a namespace has of its own.
    assert {row["value"] for row in inside["limits"] if row["name"] == "net.core.somaxconn"} == {None}
    wrong = invoke("list", "--root", str(suse), "--netns", "bleu")
    assert wrong.status == 1
    assert "did you mean 'blue'?" in wrong.err


@pytest.mark.parametrize("name", ["..", ".", "a/b", "x" * 300])
def test_a_namespace_with_an_impossible_name_is_left_out(name: str, tmp_path: Path) -> None:
    top = supportconfig(tmp_path)
    with open(top / "network.txt", "a", encoding="utf-8") as file:
        file.write(said((f"/sbin/ip netns exec {name} ss -nap", SS)))
    found = document("list", "--root", str(top), "--netns", "all")
    assert [space["name"] for space in found["scope"]["netns"]] == [None, "blue"]


def test_log_collector_of_eks(tmp_path: Path) -> None:
    """As of release 0.7.3 of the script."""
    stat = "7 (nginx: master) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 1 1 18446744073709551615 0 0 0\n"
    files = {
        "sysctls/sysctl_all.txt": "net.netfilter.nf_conntrack_max = 4\nnet.core.somaxconn = 4096\n",
        "system/netstat.txt": NETSTAT,
        "system/allprocstat.txt": stat,
        "kernel/uname.txt": "Linux ip-10-0-0-1 6.1.0-aws #1 SMP\n",
        "networking/conntrack.txt": "*** Output of conntrack -S *** \ncpu=0   \tfound=0 invalid=0 insert_failed=7 drop=1 \n"
        "*** Output of conntrack -L ***\n"
        + "tcp      6 9 CLOSE src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 mark=0 use=1\n"
        * 4,
    }
    write(tmp_path / "top", files)
    with tarfile.open(tmp_path / "eks_i-0_2026-12-01_0437-UTC_0.7.3.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "top", ".")
    for root in (tmp_path / "top", tmp_path / "eks_i-0_2026-12-01_0437-UTC_0.7.3.tar.gz"):
        found = document("list", "--root", str(root), "-o", "+processes")
        (socket,) = found["sockets"]
        assert (socket["source"], socket["local"]["port"]) == ("netstat", 22)
        assert [owner["pid"] for owner in socket["processes"]] == [31]
        assert found["host"]["hostname"] == "ip-10-0-0-1"
        # netstat -plant lists no other table.
        assert "udp" in {gap["reason"].split()[-2] for gap in found["gaps"] if gap["reason"].startswith("lists no")}
        codes = {one["code"] for one in document("doctor", "--root", str(root), "--interval", "0")["findings"]}
        assert "CONNTRACK_FULL" in codes


@pytest.mark.parametrize("new", [False, True], ids=["sos 4.0", "sos 4.5"])
def test_namespaces_of_a_sosreport(new: bool, tmp_path: Path) -> None:
    """Older releases put the files of a namespace beside the others; a name may have underscores, as what follows it has."""
    top = tmp_path / "sosreport-web"
    net = "sos_commands/networking"
    files = {f"{net}/netstat_-W_-neopa": WIDE.format(port=80), f"{net}/netstat_-s": SAID.format(3)}
    for space, port in (("blue", 81), ("red_two", 82)):
        inside = f"{net}/namespaces/{space}" if new else net
        files[f"{inside}/ip_netns_exec_{space}_netstat_-W_-neopa"] = WIDE.format(port=port)
        files[f"{inside}/ip_netns_exec_{space}_netstat_-s"] = SAID.format(port)
        files[f"{inside}/ip_netns_exec_{space}_ip_address_show"] = "1: lo\n"
        if new:
            files[f"{inside}/ip_netns_exec_{space}_sysctl_-a"] = f"net.core.somaxconn = {port}\nvm.swappiness = 1\n"
    write(top, files)
    found = document("list", "--root", str(tmp_path), "--netns", "all", "--netid", "tcp")
    rows = sorted((s["netns"] or "", s["local"]["port"]) for s in found["sockets"])
    assert rows == [("", 80), ("blue", 81), ("red_two", 82)]
    assert counter(top, "TcpExt.ListenOverflows") == 3
    assert counter(top, "TcpExt.ListenOverflows", "--netns", "red_two") == 82
    limits = document("limits", "--root", str(top), "--netns", "blue")["limits"]
    assert {row["value"] for row in limits if row["name"] == "net.core.somaxconn"} == {81 if new else None}
    # netstat asked for all sockets: none of a table is none.
    states = invoke("states", "--root", str(top), "--netns", "blue", "--netid", "unix,udp")
    assert (states.status, states.err) == (0, "")


def test_what_ss_complained_of_is_no_row(tmp_path: Path) -> None:
    complaint = "RTNETLINK answers: Invalid argument\n"
    write(tmp_path / "sosreport", {"sos_commands/networking/ss_-peaonmi": complaint + SS})
    found = document("list", "--root", str(tmp_path), "--netid", "tcp")
    assert [s["local"]["port"] for s in found["sockets"]] == [80]
    assert [gap["reason"] for gap in found["gaps"] if "RTNETLINK" in gap["reason"]] == [
        "1: ss: expected no error, got b'RTNETLINK answers: Invalid argument'"
    ]
