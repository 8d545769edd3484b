"""The check under Debian's NRPE and Icinga 2, each run by the shipped file, as the user that its package makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integrations.booted import booted
from tests.integrations.waiting import wait_for
from tests.live.scenarios import conditions
from tests.live.world.namespace import netns
from tests.program import PROJECT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.integrations.booted import Booted
    from tests.live.world.namespace import Namespace

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.needs("systemd", "nsenter")]

SHIPPED = "/opt/project/integrations"

# Debian's own configuration runs more than this network namespace has room for: the checker alone, every second.
_ICINGA = """
include "/etc/icinga2/constants.conf"
include <itl>
include <plugins>
object CheckerComponent "checker" { }
object PerfdataWriter "perfdata" {
  service_perfdata_path = "/run/icinga2/results"
  service_temp_path = "/run/icinga2/results.new"
  rotation_interval = 1s
  service_format_template = "$service.name$\\t$service.state$\\t$service.output$\\t$service.perfdata$"
}
template Service "generic-service" { max_check_attempts = 1, check_interval = 1s, retry_interval = 1s }
object CheckCommand "true" { command = [ "true" ] }
object Host "localhost" { check_command = "true", vars.sockdiag = true }
include "/opt/state/sockdiag.conf"
"""
_UNITS = {"icinga2-test.service": "[Service]\nExecStart=/usr/sbin/icinga2 daemon -c /opt/state/icinga2.conf\n"}


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """Give a network namespace."""
    with netns() as made:
        yield made


@pytest.fixture(scope="module")
def host(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Give a host with folders of its own for what the two write."""
    state = tmp_path_factory.mktemp("monitors")
    (state / "icinga2.conf").write_text(_ICINGA)
    shipped = (PROJECT / "integrations/icinga2/sockdiag.conf").read_text(encoding="utf-8")
    assert shipped.count("check_interval = 1m") == 1
    (state / "sockdiag.conf").write_text(shipped.replace("check_interval = 1m", "check_interval = 1s"))
    with booted(state, namespace.path, _UNITS) as made:
        made.run(
            "sh",
            "-euc",
            """
            for folder in /var/lib/nagios /var/lib/icinga2 /var/cache/icinga2 /var/spool/icinga2; do
              [ ! -d $folder ] || mount -t tmpfs tmpfs $folder && chown nagios: $folder
            done
            mkdir -p /var/log/icinga2 /run/icinga2 /run/nagios /var/spool/icinga2/perfdata /var/spool/icinga2/tmp
            chown nagios: /var/log/icinga2 /run/icinga2 /run/nagios /var/spool/icinga2/*
        """,
        )
        yield made


def through_nrpe(host: Booted, name: str) -> subprocess.CompletedProcess[str]:
    """Ask NRPE for a check."""
    return host.run("/usr/lib/nagios/plugins/check_nrpe", "-H", "127.0.0.1", "-t", "20", "-c", name, check=False)


def results(host: Booted) -> dict[str, tuple[str, str, str]]:
    """Return what Icinga was told last of each service: state, text, performance data."""
    lines = host.run("sh", "-c", "cat /run/icinga2/results.[0-9]* 2>/dev/null", check=False).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    return {row[0]: (row[1], row[2], row[3]) for row in rows if len(row) == 4}


@pytest.mark.needs("icinga2")
def test_icinga_takes_the_file_beside_debians_own(host: Booted) -> None:
    """`icinga2 daemon -C` finds nothing to say of the file in Debian's complete configuration, and applies its services."""
    host.run(
        "sh",
        "-euc",
        f"""
        cp -a /etc/icinga2/conf.d /tmp/conf.d
        mount -t tmpfs -o mode=755 tmpfs /etc/icinga2/conf.d
        cp -a /tmp/conf.d/. /etc/icinga2/conf.d/
        cp {SHIPPED}/icinga2/sockdiag.conf /etc/icinga2/conf.d/
        sed -i 's/^  vars.os = "Linux"$/&\\n  vars.sockdiag = true/' /etc/icinga2/conf.d/hosts.conf
    """,
    )

    def services() -> tuple[int, str]:
        done = host.run("icinga2", "daemon", "-C", check=False)
        assert done.returncode == 0, done.stdout
        return int(re.findall(r"Instantiated (\d+) Services", done.stdout)[0]), done.stdout

    with_file, said = services()
    assert not re.findall(r".*(?:warning|critical)/.*sockdiag.*", said)
    host.run("rm", "/etc/icinga2/conf.d/sockdiag.conf")
    assert with_file - services()[0] == 2


@pytest.mark.needs("icinga2", "check_nrpe", "nrpe")
def test_verdicts_arrive(host: Booted, namespace: Namespace) -> None:
    """Well, the services are OK with performance data; a full accept queue is CRITICAL, by both ways, in the same words."""
    host.run(
        "sh",
        "-euc",
        f"""
        mount -t tmpfs -o mode=755 tmpfs /etc/nagios/nrpe.d
        cp {SHIPPED}/nrpe/sockdiag.cfg /etc/nagios/nrpe.d/
    """,
    )
    host.start("nagios-nrpe-server.service")
    host.start("icinga2-test.service")
    # A server that is about to listen refuses the connection or the handshake.
    assert wait_for(lambda: through_nrpe(host, "check_sockdiag").stdout.startswith("SOCKDIAG"))
    well = through_nrpe(host, "check_sockdiag")
    assert (well.returncode, well.stdout.partition(" - ")[0]) == (0, "SOCKDIAG OK")
    assert re.search(r"\|.*'states\[tcp,ESTABLISHED\]'=\d+;", well.stdout)
    # The limits of the host cannot be seen in this network namespace.
    hidden = through_nrpe(host, "check_sockdiag_tcp_memory")
    assert (hidden.returncode, hidden.stdout.partition(" - ")[0]) == (3, "SOCKDIAG UNKNOWN")
    assert wait_for(lambda: set(results(host)) == {"sockdiag", "tcp memory"})
    state, text, figures = results(host)["sockdiag"]
    assert (state, text.partition(" - ")[0]) == ("OK", "SOCKDIAG OK")
    assert re.search(r"states\[tcp,ESTABLISHED\]'?=\d+;", figures)
    assert results(host)["tcp memory"][0] == "UNKNOWN"
    namespace.call(conditions.accept_queue_full)
    said = r"SOCKDIAG CRITICAL - ACCEPT_QUEUE_FULL: accept queue of tcp 127\.0\.0\.1:\d+ is full: .*"
    ill = through_nrpe(host, "check_sockdiag")
    assert ill.returncode == 2
    assert re.match(said, ill.stdout)
    assert wait_for(lambda: results(host)["sockdiag"][0] == "CRITICAL")
    assert re.match(said, results(host)["sockdiag"][1])
