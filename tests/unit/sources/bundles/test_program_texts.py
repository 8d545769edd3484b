"""Text of programs in the form of the files that they read."""

from __future__ import annotations

from sockdiag.sources.bundles.program_texts import nstat_files, ps_files, sysctl_files, uname_files
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6


def test_sysctls() -> None:
    text = (
        b"net.core.somaxconn = 4096\nnet.ipv4.tcp_rmem = 4096\t131072\t6291456\nnet.ipv4.conf.eth0/5.forwarding = 1\n"
    )
    assert dict(sysctl_files(text)) == {
        "/proc/sys/net/core/somaxconn": b"4096\n",
        "/proc/sys/net/ipv4/tcp_rmem": b"4096\t131072\t6291456\n",
        "/proc/sys/net/ipv4/conf/eth0.5/forwarding": b"1\n",
    }


def test_names_of_sysctls_lead_nowhere_else() -> None:
    assert list(sysctl_files(b"net.../x = 1\n. = 1\nnet..x = 1\nsysctl: cannot stat\n")) == []


def test_counters_of_nstat_are_those_of_the_files() -> None:
    text = (
        b"#kernel\nIpInReceives 5 0.0\nTcpActiveOpens 6 0.0\nTcpExtListenOverflows 7 0.0\nIpExtInOctets 8 0.0\n"
        b"IcmpMsgInType3 9 0.0\nUdpLiteInErrors 10 0.0\nUdp6InErrors 11 0.0\nIcmp6InMsgs 12 0.0\nMPTcpExtMPCapableSYNRX 13 0.0\n"
    )
    files = dict(nstat_files(text))
    assert parse_snmp(files["/proc/net/snmp"]).values == {
        "Ip.InReceives": 5,
        "Tcp.ActiveOpens": 6,
        "IcmpMsg.InType3": 9,
        "UdpLite.InErrors": 10,
    }
    assert parse_netstat(files["/proc/net/netstat"]).values == {
        "TcpExt.ListenOverflows": 7,
        "IpExt.InOctets": 8,
        "MPTcpExt.MPCapableSYNRX": 13,
    }
    assert parse_snmp6(files["/proc/net/snmp6"]).values == {"Udp6.InErrors": 11, "Icmp6.InMsgs": 12}


def test_processes() -> None:
    names = b"  PID  PPID USER GROUP LWP NLWP START COMMAND CGROUP\n  7 1 root root 7 1 10:34 my app 0::/system.slice/a.service\n"
    assert dict(ps_files(names)) == {
        "/proc/7/comm": b"my app\n",
        "/proc/7/cgroup": b"0::/system.slice/a.service\n",
    }
    states = (
        b"F S UID PID PPID PGID SID CLS PRI ADDR SZ WCHAN STARTED TT TIME CMD\n"
        b"4 T 33 7 1 7 7 TS 19 - 13967 do_wait Mon Nov 30 10:34:44 2026 ? 00:15:37 /bin/app --one two\n"
    )
    assert dict(ps_files(states)) == {
        "/proc/7/state": b"T 1",
        "/proc/7/status": b"Uid:\t33\t33\t33\t33\n",
        "/proc/7/wchan": b"do_wait",
        "/proc/7/cmdline": b"/bin/app\0--one\0two\0",
    }


def test_several_hierarchies_of_cgroups() -> None:
    names = b"PID COMMAND CGROUP\n7 app 3:cpu,cpuacct:/a,1:name=systemd:/b,0::/c\n"
    assert dict(ps_files(names))["/proc/7/cgroup"] == b"3:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n"


def test_host() -> None:
    assert dict(uname_files(b"Linux web 6.1.0-9-amd64 #1 SMP x86_64 GNU/Linux\n")) == {
        "/proc/sys/kernel/hostname": b"web\n",
        "/proc/sys/kernel/osrelease": b"6.1.0-9-amd64\n",
    }
