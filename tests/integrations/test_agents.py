"""What runs on each host beside Prometheus: cron, Ansible's facts, a sos report; Debian's own programs run the shipped files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.integrations.booted import booted
from tests.integrations.waiting import wait_for
from tests.live.world.namespace import netns
from tests.program import PROJECT, invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integrations.booted import Booted

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.needs("systemd", "nsenter")]

SHIPPED = "/opt/project/integrations"
_FOLDER = "/var/lib/prometheus/node-exporter"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Give a host on which the program is installed."""
    with netns() as namespace, booted(tmp_path_factory.mktemp("agents"), namespace.path, {}) as made:
        made.run("sh", "-euc", "mkdir -p /var/lib/prometheus; mount -t tmpfs tmpfs /var/lib/prometheus")
        made.run("mkdir", _FOLDER)
        yield made


def valid(text: str, command: str) -> bool:
    """Check that a text is a document of a command."""
    jsonschema.validate(json.loads(text), json.loads(invoke("schema", command).out))
    return True


# cron


@pytest.mark.needs("cron")
def test_cron_runs_the_line(host: Booted) -> None:
    """Debian's cron takes the file and runs its line as root, with its PATH. Only when it runs is another: at cron's start."""
    text = (PROJECT / "integrations/cron.d/sockdiag").read_text(encoding="utf-8")
    assert text.count("\n* * * * * root ") == 1
    (host.state / "cron").write_text(
        text.replace("\n* * * * * root ", "\n@reboot root ").replace("--interval 10", "--interval 1")
    )
    host.run(
        "sh",
        "-euc",
        """
        mount -t tmpfs tmpfs /etc/cron.d
        cp /opt/state/cron /etc/cron.d/sockdiag
        chmod 644 /etc/cron.d/sockdiag
        mount -t tmpfs tmpfs /var/spool/cron
        mkdir /var/spool/cron/crontabs
    """,
    )
    host.start("cron.service")
    assert wait_for(lambda: host.run("ls", _FOLDER).stdout)
    assert host.run("ls", _FOLDER).stdout == "sockdiag.prom\n"
    assert "sockdiag_build_info" in host.run("cat", f"{_FOLDER}/sockdiag.prom").stdout
    log = host.run("journalctl", "--no-pager", "-o", "cat", "-u", "cron.service").stdout
    assert "CMD (flock " in log
    assert "discarding output" not in log  # what a job says is mailed, every minute
    assert not [line for line in log.splitlines() if "rror" in line or "gnor" in line]


def test_runs_of_the_cron_line_do_not_overlap(host: Booted) -> None:
    """While one run goes on, another ends at once, with success and without a word."""
    text = (PROJECT / "integrations/cron.d/sockdiag").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("* * * * * root ")]
    command = line.removeprefix("* * * * * root ").replace(f"{_FOLDER}/sockdiag.prom", "/tmp/overlap.prom")
    script = 'exec 9>/run/sockdiag-textfile.lock; flock 9; sh -c "$1" 2>&1 9>&-'
    done = host.run("sh", "-c", script, "sh", command)
    assert (done.returncode, done.stdout) == (0, "")
    assert host.run("sh", "-c", "ls /tmp/overlap.prom 2>&1", check=False).returncode != 0


# Ansible


def facts(host: Booted, folder: str = "/tmp/facts.d") -> object:
    """Return ansible_local as Ansible's own fact collection has it."""
    done = host.run(
        "env",
        "HOME=/tmp",
        "ANSIBLE_LOCAL_TEMP=/tmp/ansible",
        "ansible",
        "localhost",
        "--one-line",
        "-m",
        "setup",
        "-a",
        f"fact_path={folder} filter=ansible_local",
        timeout=120,
    )
    assert "Failure executing fact script" not in done.stdout
    return json.loads(done.stdout.partition("=> ")[2])["ansible_facts"]["ansible_local"]


@pytest.mark.needs("ansible")
def test_ansible_fact(host: Booted) -> None:
    """Ansible runs the fact and finds the program's documents in it."""
    host.run("sh", "-euc", f"mkdir /tmp/facts.d; cp -p {SHIPPED}/ansible/sockdiag.fact /tmp/facts.d/")
    found = facts(host)
    assert isinstance(found, dict)
    fact = found["sockdiag"]
    assert set(found) == {"sockdiag"}
    assert (fact["installed"], f"sockdiag {fact['version']}\n") == (True, invoke("--version").text)
    assert valid(json.dumps(fact["states"]), "states")
    assert valid(json.dumps(fact["doctor"]), "doctor")


INVENTORY = """
[all:vars]
ansible_connection=local
ansible_become=false
[fleet]
web-1
web-2
lost ansible_python_interpreter=/nowhere/python3
"""


@pytest.mark.needs("ansible-playbook")
def test_ansible_judges_a_fleet(host: Booted) -> None:
    """The playbook fetches a capture of each host that answers, and judges them together; the lost host costs itself."""
    host.run(
        "sh",
        "-euc",
        'mkdir /tmp/fleet; echo old >/tmp/fleet/lost.tar.gz; printf %s "$1" >/tmp/inventory',
        "sh",
        INVENTORY,
    )
    playbook = f"{SHIPPED}/ansible/sockdiag-fleet.yml"
    done = host.run(
        *("env", "HOME=/tmp", "ANSIBLE_LOCAL_TEMP=/tmp/ansible", "ANSIBLE_NOCOLOR=1"),
        *("ansible-playbook", "-i", "/tmp/inventory", playbook, "-e", "captures=/tmp/fleet", "-e", "seconds=0.2"),
        timeout=240,
        check=False,
    )
    listed = host.run("sh", "-c", "ls /tmp/fleet; ls -d /tmp/sockdiag.* 2>/dev/null", check=False).stdout.split()
    assert listed == ["web-1.tar.gz", "web-2.tar.gz"], done.stdout
    assert re.search(r"HOST +VERDICT +SEVERITY +CODE|0 findings|2 hosts: ", done.stdout), done.stdout
    assert "2 hosts: " in done.stdout
    found = json.loads(host.run("sockdiag", "states", "--by", "host", "--root", "/tmp/fleet", "--json").stdout)
    first, second = (one["host"] for one in found["hosts"])
    assert second == f"{first}@web-2.tar.gz"
    assert {one["host"] for one in found["groups"]} == {first, second}


@pytest.fixture
def stand_in(host: Booted, tmp_path: Path) -> Iterator[str]:
    """Put another program in the place of sockdiag; give its path inside."""
    host.run("sh", "-euc", "mkdir /tmp/stand-in && mount --bind /tmp/stand-in /usr/local/bin")
    yield "/usr/local/bin/sockdiag"
    host.run("sh", "-euc", "umount /usr/local/bin && rm -r /tmp/stand-in")


_NOTHING = {"version": None, "states": None, "doctor": None}


def test_fact_without_the_program(host: Booted, stand_in: str) -> None:
    """Where there is no sockdiag, the fact says so."""
    done = host.run(f"{SHIPPED}/ansible/sockdiag.fact")
    assert (json.loads(done.stdout), done.stderr) == ({"installed": False, **_NOTHING}, "")


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo '{'; exit 1", "kill -KILL $$", "sleep infinity", "trap '' TERM; sleep infinity"],
    ids=["fails", "fails halfway", "is killed", "hangs", "does not end when told"],
)
def test_fact_of_a_program_that_does_not_work(host: Booted, stand_in: str, script: str) -> None:
    """Where sockdiag fails or hangs, what it should say is null, and Ansible is not kept waiting."""
    host.run("sh", "-euc", f'printf "%s\\n" "#!/bin/sh" "$1" >{stand_in}; chmod 755 {stand_in}', "sh", script)
    done = host.run(f"{SHIPPED}/ansible/sockdiag.fact")
    assert (json.loads(done.stdout), done.stderr) == ({"installed": True, **_NOTHING}, "")


# sos


@pytest.mark.needs("sos")
def test_sos_report(host: Booted) -> None:
    """Debian's sos finds the plugin, runs it because there is a sockdiag, and has documents in its report."""
    plugins = "/usr/lib/python3/dist-packages/sos/report/plugins"
    host.run(
        "sh",
        "-euc",
        f"""
        cp -a {plugins} /tmp/plugins
        mount -t tmpfs tmpfs {plugins}
        cp -a /tmp/plugins/. {plugins}/
        cp {SHIPPED}/sos/sockdiag.py {plugins}/
        mkdir /tmp/sos
    """,
    )
    host.run(
        "env",
        "HOME=/tmp",
        "sos",
        "report",
        "--batch",
        "--build",
        "-o",
        "sockdiag",
        "--tmp-dir",
        "/tmp/sos",
        timeout=180,
    )
    folder = host.run("sh", "-c", "echo /tmp/sos/sosreport-*/sos_commands/sockdiag").stdout.strip()
    names = host.run("ls", folder).stdout.split()
    documents = {name.split("_")[1] for name in names if name.endswith("_--json")}
    assert documents == {"states", "memory", "limits", "protocols", "doctor", "risk", "listeners", "path"}
    for name in names:
        text = host.run("cat", f"{folder}/{name}").stdout
        if name.endswith("_--json"):
            assert valid(text, name.split("_")[1])
        else:
            assert name == "sockdiag_list_--netns_all_-o_processes_--load-modules_never_--ndjson"
            rows = [json.loads(line) for line in text.splitlines()]
            assert any(row["processes"] for row in rows)
    log = host.run("sh", "-c", "cat /tmp/sos/sosreport-*/sos_logs/sos.log").stdout
    assert "timed out" not in log
    assert not [line for line in log.splitlines() if " WARNING" in line or " ERROR" in line]
