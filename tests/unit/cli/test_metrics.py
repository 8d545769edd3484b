"""`sockdiag metrics` on captured systems: every family against the files that it is read from."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sockdiag.analysis.measures import MEASURES, snake
from sockdiag.judging import finding_metrics
from sockdiag.judging.registry import RULES
from sockdiag.metrics import own as metrics_own
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

WORLD = str(FIXTURES / "6.18-world")
# What differs from run to run.
CHANGING = ("sockdiag_look_duration_seconds", "sockdiag_look_cpu_seconds")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str, read: Any = read_openmetrics) -> Samples:
    samples = [sample for metric in read(text) for sample in metric.samples]
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}
    assert len(found) == len(samples)
    return found


def metrics(*words: str, root: str = WORLD) -> Samples:
    return parsed(invoke("metrics", "--root", root, *words).text)


def values(found: Samples, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(value for _label, value in labels): n for (metric, labels), n in found.items() if metric == name}


def columns(name: str) -> dict[str, int]:
    """Read a file of two lines a table, a heading and numbers, as snmp and netstat are."""
    found: dict[str, int] = {}
    lines = (FIXTURES / "6.18-world" / "proc" / "net" / name).read_text().splitlines()
    for heading, numbers in zip(lines[::2], lines[1::2], strict=True):
        prefix, *names = heading.split()
        found.update({f"{prefix[:-1]}.{one}": int(n) for one, n in zip(names, numbers.split()[1:], strict=True)})
    return found


@pytest.fixture(scope="module")
def world() -> Samples:
    """What is shown of a capture with sockets of every kind."""
    return metrics("--top", "1000")


def test_counters_are_the_kernel_s(world: Samples) -> None:
    """Every MIB counter that is shown has the number of its file."""
    kernel = {**columns("snmp"), **columns("netstat")}
    for line in (FIXTURES / "6.18-world" / "proc" / "net" / "snmp6").read_text().splitlines():
        name, number = line.split()
        prefix = next((p for p in ("UdpLite6", "Udp6", "Icmp6", "Ip6") if name.startswith(p)), "")
        kernel[f"{prefix}.{name.removeprefix(prefix)}"] = int(number)
    shown = 0
    for name, measure in MEASURES.items():
        if name in kernel:
            assert values(world, f"sockdiag_{snake(name)}_total") == {(): kernel[name]}, name
            assert measure.kind == "counter"
            shown += 1
    assert shown > 80


def test_devices_and_cpus(world: Samples) -> None:
    """Their counters are those of /proc/net/dev and softnet_stat."""
    net = FIXTURES / "6.18-world" / "proc" / "net"
    for line in (net / "dev").read_text().splitlines()[2:]:
        device, _, numbers = line.partition(":")
        fields = [int(n) for n in numbers.split()]
        key = (device.strip(),)
        assert values(world, "sockdiag_device_receive_errors_total")[key] == fields[2]
        assert values(world, "sockdiag_device_receive_drops_total")[key] == fields[3]
        assert values(world, "sockdiag_device_receive_overruns_total")[key] == fields[4]
        assert values(world, "sockdiag_device_transmit_errors_total")[key] == fields[10]
        assert values(world, "sockdiag_device_transmit_drops_total")[key] == fields[11]
    rows = [[int(word, 16) for word in line.split()] for line in (net / "softnet_stat").read_text().splitlines()]
    assert values(world, "sockdiag_softnet_processed_total") == {(str(row[12]),): row[0] for row in rows}
    assert values(world, "sockdiag_softnet_dropped_total") == {(str(row[12]),): row[1] for row in rows}
    assert values(world, "sockdiag_softnet_squeezed_total") == {(str(row[12]),): row[2] for row in rows}
    assert values(world, "sockdiag_softnet_flow_limit_total") == {(str(row[12]),): row[10] for row in rows}
    assert values(world, "sockdiag_softnet_backlog") == {(str(row[12]),): row[11] for row in rows}


def test_levels(world: Samples) -> None:
    """Levels are those of sockstat; limits are sysctls."""
    proc = FIXTURES / "6.18-world" / "proc"
    words = {}
    for line in (proc / "net" / "sockstat").read_text().splitlines():
        table, *pairs = line.replace(":", "").split()
        words.update({f"{table}.{name}": int(n) for name, n in zip(pairs[::2], pairs[1::2], strict=True)})
    assert values(world, "sockdiag_sockets_used") == {(): words["sockets.used"]}
    assert values(world, "sockdiag_tcp_allocated") == {(): words["TCP.alloc"]}
    assert values(world, "sockdiag_tcp_orphans_sockets") == {(): words["TCP.orphan"]}
    assert values(world, "sockdiag_tcp_time_wait_sockets") == {(): words["TCP.tw"]}
    assert values(world, "sockdiag_tcp_mem_used_bytes") == {(): words["TCP.mem"] * 4096}
    assert values(world, "sockdiag_udp_mem_used_bytes") == {(): words["UDP.mem"] * 4096}
    assert values(world, "sockdiag_fragments_used_bytes")[("AF_INET",)] == words["FRAG.memory"]
    limit = int((proc / "sys/net/ipv4/tcp_max_tw_buckets").read_text())
    assert values(world, "sockdiag_tcp_time_wait_limit") == {(): limit}
    assert values(world, "sockdiag_tcp_time_wait_used_ratio") == {(): words["TCP.tw"] / limit}
    open_files, _free, most = map(int, (proc / "sys/fs/file-nr").read_text().split())
    assert values(world, "sockdiag_files_open") == {(): open_files}
    assert values(world, "sockdiag_files_used_ratio") == {(): open_files / most}


def test_what_the_namespace_does_not_show_has_no_sample(world: Samples) -> None:
    """A limit of the host that the captured namespace does not show is unknown, and so is what depends on it."""
    assert not (FIXTURES / "6.18-world" / "proc" / "sys/net/ipv4/tcp_mem").exists()
    assert values(world, "sockdiag_tcp_mem_limit_bytes") == {}
    assert values(world, "sockdiag_tcp_mem_used_ratio") == {}
    assert values(world, "sockdiag_source_success")[("sysctl",)] == 0
    assert values(world, "sockdiag_source_success")[("sockets:tcp",)] == 1
    assert values(world, "sockdiag_rule_success")[("UDP_MEMORY_LIMIT",)] == 0
    assert not [key for key in values(world, "sockdiag_findings") if key[0] == "UDP_MEMORY_LIMIT"]
    assert values(world, "sockdiag_gaps")[()] > 0


def test_sockets_are_those_of_list(world: Samples) -> None:
    """States, memory, queues and drops are what the sockets' own rows say."""
    rows = json.loads(invoke("list", "--root", WORLD, "--json", "-o", "+skmem").text)["sockets"]
    states: dict[tuple[str, ...], int] = {}
    held: dict[tuple[str, ...], int] = {}
    drops: dict[tuple[str, ...], int] = {}
    queues: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = (row["family"], row["netid"], row["state"])
        states[key] = states.get(key, 0) + 1
        memory = row["skmem"] or {}
        table = (row["netid"],)
        held[table] = held.get(table, 0) + (memory.get("rmem_alloc") or 0)
        drops[table] = drops.get(table, 0) + (memory.get("drops") or 0)
        if row["recv_q_unit"] == "connections" and row["netid"] == "tcp":
            host = f"[{row['local']['address']}]" if ":" in row["local"]["address"] else row["local"]["address"]
            device = f"%{row['local']['interface']}" if row["local"]["interface"] else ""
            place = (f"{host}{device}:{row['local']['port']}", "tcp")
            queues[place] = queues.get(place, 0) + row["recv_q"]
    shown = values(world, "sockdiag_sockets")
    assert {key: n for key, n in shown.items() if n} == states
    assert shown["AF_INET6", "udp", "CLOSE"] == states["AF_INET6", "udp", "CLOSE"]
    receive = values(world, "sockdiag_socket_memory_receive_bytes")
    assert {"tcp", "udp", "netlink", "packet"} <= {table for (table,) in receive}
    assert receive == {table: held.get(table, 0) for table in receive}
    refused = values(world, "sockdiag_socket_drops")
    assert {"udp", "netlink", "packet"} <= {table for (table,) in refused}
    assert refused == {table: drops.get(table, 0) for table in refused}
    waiting = values(world, "sockdiag_listener_accept_queue")
    assert {key: n for key, n in waiting.items() if key[1] == "tcp"} == queues
    assert sum(queues.values()) > 0


def test_findings_are_those_of_risk(world: Samples) -> None:
    """Each code of the registry is counted, or said not to be judged."""
    document = json.loads(invoke("risk", "--root", WORLD, "--json", "--all").text)
    counts: dict[tuple[str, ...], int] = {}
    for finding in [*(f for s in document["sockets"] for f in s["findings"]), *document["system"]["findings"]]:
        key = (finding["code"], finding["severity"])
        counts[key] = counts.get(key, 0) + 1
    shown = values(world, "sockdiag_findings")
    told = {key: n for key, n in shown.items() if n}
    # A finding about several sockets stands beside each of them in `risk`.
    assert told.keys() == counts.keys()
    assert all(told[key] <= counts[key] for key in told)
    judged = values(world, "sockdiag_rule_success")
    assert set(judged) == {(code,) for code in RULES}
    assert {code for code, _severity in shown} == {code for (code,), n in judged.items() if n} | {
        code for code, _ in told
    }
    assert {key for key, n in values(world, "sockdiag_verdict").items() if n} == {(document["verdict"],)}


def test_every_family_is_declared(world: Samples) -> None:
    """No sample has a name that the table of the documents lacks."""
    declared = {f.sample_name for f in (*finding_metrics.DECLARED, *metrics_own.DECLARED)}
    declared |= {m.metric + ("_total" if m.kind == "counter" else "") for m in MEASURES.values()}
    assert {name for name, _labels in world} <= declared
    assert len({name for name, _labels in world}) > 130


def test_every_format_says_the_same() -> None:
    """OpenMetrics, the older text, JSON and line protocol have the same samples."""
    first = metrics()
    text = parsed(invoke("metrics", "--root", WORLD, "--prometheus").text, read_text)
    document = json.loads(invoke("metrics", "--root", WORLD, "--json").text)
    objects = {(s["name"], tuple(sorted(s["labels"].items()))): s["value"] for s in document["samples"]}
    same = {key: value for key, value in first.items() if key[0] not in CHANGING}
    assert {key: value for key, value in text.items() if key[0] not in CHANGING} == same
    assert {key: value for key, value in objects.items() if key[0] not in CHANGING} == same
    lines = invoke("metrics", "--root", WORLD, "--influx").text.splitlines()
    assert len(lines) == len(first)
    assert document["schema"] == "sockdiag.metrics/1"
    assert document["verdict"] == "at_risk"
    assert document["interval_s"] is None


def test_csv_has_all_digits() -> None:
    """A number is not rounded for whoever reads it with a program."""
    rows = invoke("metrics", "--root", WORLD, "--csv").text.splitlines()
    assert rows[0] == "name,labels,value,kind,unit"
    (row,) = [row for row in rows if row.startswith("sockdiag_look_timestamp_seconds")]
    assert float(row.split(",")[2]) == values(metrics(), "sockdiag_look_timestamp_seconds")[()]
    assert 'sockdiag_findings,"code=UDP_DROPS,severity=critical",0,gauge,' in rows


def test_a_bounded_list_has_the_rest_as_other() -> None:
    """--top."""
    few, all_ = metrics("--top", "2"), metrics("--top", "1000")
    for name in ("sockdiag_listener_accept_queue", "sockdiag_udp_receive_buffer_used_bytes"):
        short, long = values(few, name), values(all_, name)
        assert len(short) == 3
        assert sum(short.values()) == sum(long.values())
    assert values(few, "sockdiag_listener_accept_queue_ratio")["other", "other"] <= 1


def test_tables_that_are_not_known_are_no_zeros() -> None:
    """A system of which nothing can be read gives an error; one without netlink answers gives what /proc tells."""
    found = metrics("--source", "proc")
    assert values(found, "sockdiag_source_success")[("skmem:udp",)] == 0
    assert values(found, "sockdiag_udp_receive_buffer_limit_bytes") == {}
    assert values(found, "sockdiag_sockets")["AF_INET", "tcp", "LISTEN"] == 13


def test_a_damaged_answer_is_said_to_be_one(tmp_path: Path) -> None:
    """What is left of it is counted, its source has failed, and states that were not seen are not 0."""
    shutil.copytree(WORLD, tmp_path / "world", symlinks=True)
    answer = tmp_path / "world" / "netlink" / "inet_diag_tcp.nl"
    os.truncate(answer, 203)
    found = metrics(root=str(tmp_path / "world"))
    assert values(found, "sockdiag_source_success")[("sockets:tcp",)] == 0
    assert values(found, "sockdiag_source_success")[("sockets:udp",)] == 1
    assert ("AF_INET", "tcp", "SYN_SENT") not in values(found, "sockdiag_sockets")
    assert values(found, "sockdiag_sockets")["AF_INET", "udp", "CLOSE"] == 8


def test_what_only_root_may_read() -> None:
    """A capture made without privileges says what it lacks."""
    found = values(metrics(root=str(FIXTURES / "6.18-unprivileged")), "sockdiag_source_success")
    assert {source for (source,), read in found.items() if not read} >= {"sysctl"}
    assert found[("snmp",)] == 1


def test_nothing_to_read(tmp_path: Any) -> None:
    """An empty folder is no system."""
    answer = invoke("metrics", "--root", str(tmp_path))
    assert (answer.status, answer.out) == (1, b"")
    assert answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--influx", "--json"], "--json and --influx exclude each other"),
        (["--influx", "--prometheus"], "--influx and --prometheus exclude each other"),
        (["--textfile", "x.prom", "--influx"], "--textfile and --influx exclude each other"),
        (["--textfile", "x.prom", "--limit", "1"], "--textfile and --limit exclude each other"),
        (["--textfile", ""], "--textfile names no file"),
        (["--listen", ":0", "--json"], "--json and --listen exclude each other"),
        (["--listen", ":0", "--root", WORLD], "--listen and --root exclude each other"),
        (["--top", "-1"], "--top takes 0 or more"),
        (["--interval", "3601"], "--interval takes 0 to 3600"),
        (["--listen", "nonsense"], "--listen takes [ADDR:]PORT"),
        (["--listen", "::1:80"], "--listen takes [ADDR:]PORT"),
        (["--listen", ":65536"], "--listen takes [ADDR:]PORT"),
        (["--listen", ""], "--listen takes [ADDR:]PORT"),
    ],
)
def test_mistakes_of_usage(words: list[str], said: str) -> None:
    """They are told, and nothing is written."""
    answer = invoke("metrics", *words)
    assert (answer.status, answer.out) == (2, b"")
    assert said in answer.err


def test_strict() -> None:
    """With --strict, what could not be seen is an exit status."""
    assert invoke("metrics", "--root", WORLD, "--strict").status == 4


@pytest.mark.parametrize(
    ("prefix", "hint"),
    [
        ("/usr", "apt install python3-prometheus-client"),
        ("/srv/env", "/srv/env/bin/python -m pip install prometheus-client"),
        ("/home/a/.local/share/pipx/venvs/sockdiag", "pipx inject sockdiag prometheus-client"),
    ],
)
def test_without_the_library_the_hint_fits_the_installation(
    prefix: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users of the Debian package get Debian's, others theirs from the index of Python packages, under its own name."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    for name, value in (("prefix", prefix), ("base_prefix", "/usr"), ("executable", f"{prefix}/bin/python")):
        monkeypatch.setattr(sys, name, value)
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/usr/bin/apt" or exists(path))
    answer = invoke("metrics", "--listen", ":0")
    assert (answer.status, answer.err) == (
        2,
        f"sockdiag: --listen needs the Python library prometheus_client: {hint}\n",
    )


def test_a_capture_of_a_named_namespace_names_it(tmp_path: Path) -> None:
    """As the running system does with --netns: its counters are not those of the host's own namespace."""
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/snmp").write_text("Tcp: OutRsts\nTcp: 7\n")
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").symlink_to("net:[4026532222]")
    (tmp_path / "netns.tsv").write_text("4026532222\tself\tblue\t/proc/self/ns/net\n")
    named = [line for line in invoke("metrics", "--root", str(tmp_path)).text.split("\n") if 'netns="blue"' in line]
    assert any(line.startswith('sockdiag_findings{netns="blue",') for line in named)
    (tmp_path / "netns.tsv").write_text("4026532222\tself\t\t/proc/self/ns/net\n")
    assert "netns=" not in invoke("metrics", "--root", str(tmp_path)).text
