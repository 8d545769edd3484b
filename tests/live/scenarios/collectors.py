"""What collectors save of a host, made with the commands that they run, in a network namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.live.scenarios.suite import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.world.namespace import Namespace

# Files of /proc/net that sos copies and that say something of sockets.
_NET = [
    "dev",
    "icmp",
    "icmp6",
    "if_inet6",
    "ipv6_route",
    "mcfilter",
    "netlink",
    "netstat",
    "nf_conntrack",
    "packet",
    "protocols",
    "ptype",
    "raw",
    "raw6",
    "route",
    "snmp",
    "snmp6",
    "sockstat",
    "sockstat6",
    "softnet_stat",
    "tcp",
    "tcp6",
    "udp",
    "udp6",
    "udplite",
    "udplite6",
    "unix",
    "xfrm_stat",
    "stat/nf_conntrack",
]
_PS = (
    "axo pid,ppid,user,group,lwp,nlwp,start_time,comm,cgroup",
    "axo flags,state,uid,pid,ppid,pgid,sid,cls,pri,addr,sz,wchan:20,lstart,tty,time,cmd",
)


def _said(namespace: Namespace, *command: str) -> bytes:
    inside = ["nsenter", f"--net={namespace.path}", *command]
    return subprocess.run(inside, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


def _mangled(command: str) -> str:
    # As sos names the file of a command.
    return command.replace(" ", "_").replace(",", "_").replace(":", "_").replace("/", ".")


def sosreport(namespace: Namespace, folder: Path, *, ss: bool) -> Path:
    """Write what sos writes of a host; with *ss* as if all diag modules were loaded."""
    top = folder / "sosreport-host-2026-11-30-abcdefg"
    net = top / "proc" / "28" / "net"
    (net / "stat").mkdir(parents=True)
    (top / "proc/self").symlink_to("28")
    (top / "proc/net").symlink_to("self/net")
    script = 'cd /proc/net && for f in "$@"; do [ -r $f ] && cat $f >"$0/$f"; done; true'
    _said(namespace, "sh", "-c", script, str(net), *_NET)
    commands = {
        "networking": ["netstat -W -neopa", "netstat -s", "nstat -zas", *(["ss -peaonmi"] if ss else [])],
        "kernel": ["sysctl -a", "uname -a"],
        "process": [f"ps {options}" for options in _PS],
    }
    for plugin, lines in commands.items():
        place = top / "sos_commands" / plugin
        place.mkdir(parents=True)
        for line in lines:
            (place / _mangled(line)).write_bytes(_said(namespace, *line.split()))
    return top


def ask_sosreport(*, ss: bool) -> Callable[..., tuple[dict[str, Any], int]]:
    """Return a function that makes a sosreport of a namespace, and runs a command on that."""

    def ask(namespace: Namespace, command: str, *words: str) -> tuple[dict[str, Any], int]:
        with TemporaryDirectory() as folder:
            sosreport(namespace, Path(folder), ss=ss)
            return answer(command, "--json", "--root", folder, *words[2:])

    return ask
