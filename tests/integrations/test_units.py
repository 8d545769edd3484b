"""The shipped units, run by a real systemd with their sandbox as it is."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integrations.booted import booted
from tests.integrations.fetch import get
from tests.integrations.waiting import wait_for
from tests.live.world.namespace import netns
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integrations.booted import Booted
    from tests.live.world.namespace import Namespace

pytestmark = [pytest.mark.live, pytest.mark.needs("systemd", "systemd-analyze", "nsenter", "promtool")]

FOLDER = PROJECT / "integrations/systemd"
UNITS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}
TEXTFILE, SERVICE, RECORD = "sockdiag-textfile.service", "sockdiag-metrics.service", "sockdiag-record.service"
SANDBOXED = (TEXTFILE, SERVICE)
CAPABILITIES = ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
PORT = 4444
# A program of another user, whose socket's owner is what the units' capabilities are for.
_HOLDER = f"""
[Service]
User=nobody
ExecStart=/opt/bin/python -c 'import signal, socket; s = socket.create_server(("127.0.0.1", {PORT})); signal.pause()'
"""
_FOLDER = "/var/lib/prometheus/node-exporter"


def sandbox(unit: str, without: str = "") -> str:
    """Return a unit that lists the owner of the socket above in the sandbox of a shipped unit.

    Args:
        unit: the shipped unit.
        without: a capability to take from it.
    """
    kept = [
        line for line in UNITS[unit].splitlines() if not re.match(r"(ExecStart|Restart\w*|Type|AssertPath\w*)=", line)
    ]
    text = "\n".join(kept)
    assert text.count("CAP_SYS_PTRACE") >= 1
    if without:
        text = re.sub(rf"(Capabilit\w+=.*?) ?{without}", r"\1", text)
        assert without not in text
    command = f"sockdiag list --where 'sport = :{PORT}' -o local,processes --no-header"
    out = "/opt/state/" + name_of(unit, without)
    return f"{text}\n[Service]\nType=oneshot\nExecStart={command}\nStandardOutput=file:{out}\nStandardError=file:{out}.errors\n"


def name_of(unit: str, without: str) -> str:
    """Name a unit of :func:`sandbox`."""
    return f"owner-{unit.split('.', maxsplit=1)[0]}-{without.lower().replace('_', '-') or 'all'}.service"


def readme_drop_in() -> str:
    """Return what README says to add to the unit for every network namespace."""
    text = (PROJECT / "integrations/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    return block


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """Give a network namespace."""
    with netns() as made:
        yield made


@pytest.fixture(scope="module")
def world(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Give a running systemd with the shipped units and those of the tests."""
    units = {**UNITS, "holder.service": _HOLDER}
    units |= {name_of(unit, lost): sandbox(unit, lost) for unit in SANDBOXED for lost in ("", *CAPABILITIES)}
    every = readme_drop_in().replace("--interval 10", "--interval 1").replace("/sockdiag.prom", "/every.prom")
    units["misused.service"] = UNITS[SERVICE].replace("127.0.0.1:9756", "nowhere")
    units["every.service"] = f"{UNITS[TEXTFILE]}\n{every}"
    with booted(tmp_path_factory.mktemp("units"), namespace.path, units) as made:
        made.run("sh", "-euc", f"mkdir -p {_FOLDER}; mount -t tmpfs -o mode=755 tmpfs {_FOLDER}; ip netns add blue")
        made.start("holder.service")
        yield made


def samples(text: str, family: str) -> dict[str, float]:
    """Return the samples of a family, by their labels."""
    return {
        labels: float(value) for labels, value in re.findall(rf"^{family}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    }


def checked(text: str) -> tuple[int, str, str]:
    """Return what promtool says of metrics."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, check=False, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_units_are_clean(world: Booted) -> None:
    """Systemd finds nothing to say of the files, and the page that they point to exists."""
    paths = [f"/run/systemd/system/{name}" for name in UNITS]
    done = world.run("systemd-analyze", "verify", "--man=no", *paths, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = {page for text in UNITS.values() for page in re.findall(r"man:([\w-]+)\((\d)\)", text)}
    assert pages
    assert all((PROJECT / f"man/{name}.{section}").is_file() for name, section in pages)


@pytest.mark.parametrize("unit", [*SANDBOXED, RECORD])
def test_units_expose_little(world: Booted, unit: str) -> None:
    """Systemd's own judgement of the sandbox: at most 2.4 of 10, which it calls OK."""
    world.run("systemd-analyze", "security", "--no-pager", "--threshold=24", unit)


@pytest.mark.parametrize("unit", SANDBOXED)
def test_units_see_owners(world: Booted, unit: str) -> None:
    """In the sandbox the owner of another user's socket is seen, and nothing is missing."""
    name = name_of(unit, "")
    world.start(name)
    assert re.fullmatch(rf"127\.0\.0\.1:{PORT} +python\S*\(\d+,fd=3\)\n", (world.state / name).read_text())
    assert (world.state / f"{name}.errors").read_text() == ""


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("unit", SANDBOXED)
def test_units_have_no_capability_too_many(world: Booted, unit: str, capability: str) -> None:
    """Without one of its capabilities the owner is not seen, and that is said."""
    name = name_of(unit, capability)
    world.start(name)
    assert re.fullmatch(rf"127\.0\.0\.1:{PORT} +-\n", (world.state / name).read_text())
    assert "could not read" in (world.state / f"{name}.errors").read_text()


def test_textfile_is_written(world: Booted) -> None:
    """The unit writes a file that promtool has nothing to say of, readable by all, and sees all that root sees unconfined."""
    world.start(TEXTFILE)
    text = world.run("cat", f"{_FOLDER}/sockdiag.prom").stdout
    assert world.run("sh", "-c", f"ls {_FOLDER}; stat -c '%a %U' {_FOLDER}/*").stdout == "sockdiag.prom\n644 root\n"
    assert checked(text) == (0, "", "")
    free = world.run("sockdiag", "metrics", "--interval", "1", "--prometheus").stdout
    for family in ("sockdiag_source_success", "sockdiag_rule_success", "sockdiag_gaps"):
        assert samples(text, family)
        assert samples(text, family) == samples(free, family)
    assert samples(text, "sockdiag_listener_sockets")[f'netid="tcp",local="127.0.0.1:{PORT}"'] == 1


def test_textfile_of_every_namespace(world: Booted) -> None:
    """With what README says to add, the unit enters every network namespace, and finds each."""
    world.start("every.service")
    text = world.run("cat", f"{_FOLDER}/every.prom").stdout
    free = world.run("sockdiag", "metrics", "--netns", "all", "--interval", "1", "--prometheus").stdout
    # How many are used there counts those of the look itself, which the kernel takes away when it comes to it.
    assert 'netns="blue"' in samples(text, "sockdiag_sockets_used")
    assert samples(text, "sockdiag_sockets_used").keys() == samples(free, "sockdiag_sockets_used").keys()
    assert samples(text, "sockdiag_gaps") == samples(free, "sockdiag_gaps")
    world.run("rm", f"{_FOLDER}/every.prom")


def test_textfile_without_its_folder(world: Booted) -> None:
    """Where the folder is missing the unit fails and says which, and nothing is made in its place."""
    world.run("umount", _FOLDER)
    try:
        world.run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/prometheus")
        done = world.run("systemctl", "start", TEXTFILE, check=False)
        assert done.returncode == 1
        assert "Assertion failed" in done.stderr
        assert world.run("ls", "-A", "/var/lib/prometheus").stdout == ""
    finally:
        world.run("umount", "/var/lib/prometheus")
        world.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", _FOLDER)


def test_timer_waits_for_the_next_minute(world: Booted) -> None:
    """The timer, once started, runs the unit within a minute and its random delay, and again and again."""
    begin = time.time()
    world.start("sockdiag-textfile.timer")
    shown = world.run(
        "env", "TZ=UTC", "systemctl", "show", "-p", "NextElapseUSecRealtime", "sockdiag-textfile.timer"
    ).stdout
    due = datetime.strptime(shown.strip().partition("=")[2], "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp()
    assert begin - 1 <= due <= time.time() + 76
    assert world.properties("sockdiag-textfile.timer", "Unit") == {"Unit": TEXTFILE}
    world.run("systemctl", "stop", "sockdiag-textfile.timer")


def test_service_serves(world: Booted, namespace: Namespace) -> None:
    """The service answers scrapes on loopback alone, as a user of its own that has its two capabilities and no other."""
    world.start(SERVICE)
    assert wait_for(lambda: world.run("ss", "-Htln", "sport = :9756").stdout)
    listening = world.run("ss", "-Htln", "sport = :9756").stdout
    assert re.fullmatch(r"LISTEN\s+\d+\s+\d+\s+127\.0\.0\.1:9756\s.*\n", listening)
    text = namespace.call(get, "http://127.0.0.1:9756/metrics")
    assert checked(text) == (0, "", "")
    free = world.run("sockdiag", "metrics", "--prometheus").stdout
    assert samples(text, "sockdiag_source_success") == samples(free, "sockdiag_source_success")
    pid = world.properties(SERVICE, "MainPID")["MainPID"]
    status = dict(
        line.split(":\t", 1) for line in world.run("cat", f"/proc/{pid}/status").stdout.splitlines() if ":\t" in line
    )
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 2 | 1 << 19
    assert status["NoNewPrivs"] == "1"


def test_service_comes_back(world: Booted) -> None:
    """A service that was killed is started again; one that is stopped ends at once and is not."""
    world.start(SERVICE)
    pid = world.properties(SERVICE, "MainPID")["MainPID"]
    world.run("kill", "-KILL", pid)
    assert wait_for(lambda: world.properties(SERVICE, "MainPID")["MainPID"] not in ("0", pid))
    assert world.properties(SERVICE, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "1"}
    world.run("systemctl", "stop", SERVICE, timeout=10)
    assert world.properties(SERVICE, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}


def test_service_that_cannot_work_is_not_started_again(world: Booted) -> None:
    """A wrong address ends the service for good."""
    world.run("systemctl", "start", "misused.service")
    assert wait_for(lambda: world.properties("misused.service", "ActiveState")["ActiveState"] == "failed")
    shown = world.properties("misused.service", "ActiveState", "NRestarts", "ExecMainStatus")
    assert shown == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "2"}
