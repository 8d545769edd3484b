"""The tables of docs/kernels.md, and those of docs/verdicts.md about other kernels, from the results that tests/kernels keeps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from sockdiag.model.finding import VERDICTS
from sockdiag.model.quantity import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
VERDICTS_BEGIN, VERDICTS_END = "<!-- kernels -->\n", "<!-- /kernels -->\n"
RESULTS = Path(__file__).parents[2] / "tests" / "kernels" / "results"


def kernels() -> list[dict[str, Any]]:
    """Return the results of each kernel, oldest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    return sorted(found, key=lambda one: [int(part) for part in one["release"].split("-")[0].split("+")[0].split(".")])


# What is seen for real: files of tests/kernels/guest, behind a colon the one test that is meant, in brackets another boot.
SEEN = (
    ("SCTP: listeners, associations, one to many", "test_sctp.py"),
    ("DCCP", "test_dccp.py"),
    ("MPTCP and its subflows", "test_mptcp.py"),
    ("vsock over loopback", "test_vsock.py"),
    ("kTLS: ULP information", "test_ktls.py"),
    ("AF_XDP with rings and statistics", "test_xdp.py"),
    ("raw_diag, and a raw socket that overflows", "test_raw.py"),
    ("TIPC", "test_tipc.py"),
    ("SMC, with the TCP sockets that it falls back to", "test_smc.py"),
    ("netlink, every attribute", "test_netlink.py"),
    ("packet, every attribute", "test_packet.py"),
    ("bpf_sk_storage", "test_bpf_storage.py"),
    ("TCP MD5 keys", "test_signatures.py: test_md5"),
    ("TCP-AO", "test_signatures.py: test_ao"),
    ("vegas, dctcp, bbr, illinois, yeah", "test_congestion.py"),
    ("connection tracking that is full", "test_conntrack.py"),
    ("netem, tbf, fq, cake", "test_queueing.py"),
    ("veth, bridge, VLAN, bond, tun", "test_devices.py"),
    ("e1000 whose ring overruns", "test_nic.py (odd)"),
    ("cgroup version 2 whose memory is used up", "test_cgroup_memory.py"),
    ("/proc with hidepid", "test_hardened.py: test_hidepid"),
    ("lockdown=confidentiality", "test_hardened.py (odd): test_lockdown"),
    ("ipv6.disable=1", "test_hardened.py (odd): test_without_ipv6"),
    ("modules that are loaded, or never", "test_modules.py (modules)"),
    ("layouts of structs, by the kernel's BTF", "tests/live/test_struct_layouts.py"),
)


def page(text: str) -> str:
    """Return docs/kernels.md with its tables regenerated."""
    return _between(text, BEGIN, END, _lines(kernels()))


def verdicts(text: str) -> str:
    """Return docs/verdicts.md with the matrices of these kernels regenerated."""
    return _between(text, VERDICTS_BEGIN, VERDICTS_END, _matrices(kernels()))


def _between(text: str, begin: str, end: str, lines: Iterator[str]) -> str:
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    return f"{before}{begin}{''.join(lines)}{end}{after}"


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| kernel | seen on | passed | skipped | failed |\n|---|---|---|---|---|\n"
    for one in found:
        files = one["tests"].values()
        counts = [sum(f["passed"] for f in files), *(sum(len(f[key]) for f in files) for key in ("skipped", "failed"))]
        yield f"| {one['release']} | {one['date']} | {' | '.join(map(str, counts))} |\n"
    yield from _seen(found)
    yield from _features(found)
    yield from _tests(found)
    for key, title in (("failed", "Failed"), ("skipped", "Skipped")):
        yield from _reasons(found, key, title)


def _head(found: list[dict[str, Any]], first: str) -> str:
    return f"| {first} | {' | '.join(_series(one) for one in found)} |\n{'|---' * (len(found) + 1)}|\n"


def _series(one: dict[str, Any]) -> str:
    return ".".join(one["release"].split(".")[:2])


def _seen(found: list[dict[str, Any]]) -> Iterator[str]:
    yield f"\n## What was seen\n\n{_head(found, 'kind of socket, device, host')}"
    for what, where in SEEN:
        file, _colon, test = where.partition(": ")
        path = file if "/" in file else f"tests/kernels/guest/{file}"
        yield f"| {what} | {' | '.join(_outcome(one['tests'].get(path), test) for one in found)} |\n"


def _outcome(counts: dict[str, Any] | None, test: str) -> str:
    if counts is None:
        return "not run"
    failed, skipped = (
        {name: why for name, why in counts[key].items() if test in name} for key in ("failed", "skipped")
    )
    if failed:
        return "failed"
    if skipped and (test or not counts["passed"]):
        return _cell(next(iter(skipped.values())))
    return "yes"


def _features(found: list[dict[str, Any]]) -> Iterator[str]:
    names = sorted({name for one in found for name in one["features"]})
    yield f"\n## What each kernel has\n\n{_head(found, 'socket, module, event')}"
    for name in names:
        cells = [_feature(one["features"].get(name)) for one in found]
        yield f"| {name} | {' | '.join(cells)} |\n"


def _feature(why: str | None) -> str:
    if why is None:
        return "not tried"
    return _cell(why) if why else "yes"


def _tests(found: list[dict[str, Any]]) -> Iterator[str]:
    yield f"\n## Tests\n\nPassed, of all that ran.\n\n{_head(found, 'file')}"
    for name in sorted({name for one in found for name in one["tests"]}):
        yield f"| {_file(name)} | {' | '.join(_passed(one['tests'].get(name)) for one in found)} |\n"


def _file(name: str) -> str:
    path, _space, boot = name.partition(" ")
    return f"`{path}` {boot}".rstrip()


def _passed(counts: dict[str, Any] | None) -> str:
    if counts is None:
        return ""
    ran = counts["passed"] + len(counts["failed"])
    return f"{counts['passed']} of {ran}" if ran else "skipped"


def _matrices(found: list[dict[str, Any]]) -> Iterator[str]:
    for one in found:
        told = Counter((verdict, said) for verdict, said in one["scenarios"].values())
        if not told:
            continue
        columns = [*VERDICTS, *(["failed"] if any(said == "failed" for _v, said in told) else [])]
        yield f"\n{one['scenarios_date']}, Linux {one['release']}: {counted(told.total(), 'condition')}.\n\n"
        yield f"| condition \\ verdict | {' | '.join(columns)} |\n"
        yield "|---" * (len(columns) + 1) + "|\n"
        for verdict in VERDICTS:
            if any(wanted == verdict for wanted, _said in told):
                cells = [str(told[verdict, said] or " ") for said in columns]
                yield f"| {verdict} | {' | '.join(cells)} |\n"
    yield "\n"


def _reasons(found: list[dict[str, Any]], key: str, title: str) -> Iterator[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for file, counts in one["tests"].items():
            for test, why in counts[key].items():
                name = test.partition("[")[0]
                kernels_of = places.setdefault((f"{_file(file)}: {name}", why), [])
                if _series(one) not in kernels_of:
                    kernels_of.append(_series(one))
    if places:
        yield f"\n## {title}\n\n| test | under | why |\n|---|---|---|\n"
    for (test, why), series in sorted(places.items()):
        yield f"| {test} | {', '.join(series)} | {_cell(why)} |\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
