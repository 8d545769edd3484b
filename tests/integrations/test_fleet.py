"""The path past one machine: Debian's node_exporter and Prometheus, the shipped units, rules and dashboard, and a real loss.

Everything runs in a network namespace of its own, by Debian's own units where it has some.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations import test_shipped_files as shipped
from tests.integrations.booted import booted
from tests.integrations.fetch import ask
from tests.integrations.test_units import UNITS
from tests.integrations.waiting import wait_for
from tests.live.scenarios import datagrams
from tests.live.world.namespace import netns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integrations.booted import Booted
    from tests.live.world.namespace import Namespace

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.needs("systemd", "nsenter", "prometheus", "prometheus-node-exporter", "promtool"),
]

# What the test hurries: the files are as shipped but for these. Of the rules, how long a loss must go on (for:); of the timer,
# when it runs; of the unit, how long it looks.
HURRY = {
    "sockdiag.rules.yml": [(r"(?m)^( +for:) \d+m$", r"\1 2s")],
    "sockdiag-textfile.timer": [("OnCalendar=minutely", "OnCalendar=*:*:0/3"), ("RandomizedDelaySec=15\n", "")],
    "sockdiag-textfile.service": [("--interval 10", "--interval 1")],
}
_CONFIG = """
global: {scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s}
rule_files: [/opt/state/sockdiag.rules.yml]
scrape_configs:
  - {job_name: node, static_configs: [{targets: ["127.0.0.1:9100"]}]}
  - {job_name: sockdiag, static_configs: [{targets: ["127.0.0.1:9756"]}]}
"""
JOBS = {"node", "sockdiag"}
UDP_LOST = "SockdiagUdpReceiveBufferFull"


def hurried(name: str, text: str) -> str:
    """Return a shipped file with the substitutions of HURRY, each of which must find something."""
    for pattern, replacement in HURRY.get(name, []):
        text, count = re.subn(pattern, replacement, text)
        assert count
    return text


class Fleet:
    """A running Prometheus that scrapes one host twice, and what is in it."""

    def __init__(self, namespace: Namespace, host: Booted) -> None:
        self.namespace = namespace
        self.host = host

    def ask(self, path: str, **parameters: object) -> Any:
        """Ask Prometheus's API."""
        return self.namespace.call(ask, path, **parameters)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def jobs(self, expression: str) -> set[str]:
        """Return the jobs that have a sample."""
        return {sample["metric"]["job"] for sample in self.query(expression)}

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, each with its job."""
        alerts = self.ask("alerts")["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("job", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give a host with both ways to its metrics, and a Prometheus."""
    state = tmp_path_factory.mktemp("fleet")
    (state / "prometheus.yml").write_text(_CONFIG)
    rules = shipped.RULES_FILE
    (state / rules.name).write_text(hurried(rules.name, rules.read_text(encoding="utf-8")))
    units = {name: hurried(name, text) for name, text in UNITS.items()}
    with netns() as namespace, booted(state, namespace.path, units) as host:
        host.run(
            "sh",
            "-euc",
            """
            mount -t tmpfs -o mode=755 tmpfs /var/lib/prometheus
            mkdir /var/lib/prometheus/node-exporter /var/lib/prometheus/metrics2
            chown prometheus: /var/lib/prometheus/metrics2
            mount --bind /opt/state/prometheus.yml /etc/prometheus/prometheus.yml
        """,
        )
        for unit in (
            "sockdiag-textfile.timer",
            "sockdiag-metrics.service",
            "prometheus-node-exporter.service",
            "prometheus.service",
        ):
            host.start(unit)
        made = Fleet(namespace, host)
        assert wait_for(lambda: made.jobs("sockdiag_build_info") == JOBS), host.log()
        yield made


def test_both_ways_are_scraped(fleet: Fleet) -> None:
    """Both targets are up, node_exporter takes the file, and both ways lead to the same families."""
    assert fleet.jobs("up == 1") == JOBS
    assert [sample["value"][1] for sample in fleet.query("node_textfile_scrape_error")] == ["0"]
    names = {
        job: set(fleet.ask("label/__name__/values", **{"match[]": f'{{job="{job}",__name__=~"sockdiag_.+"}}'}))
        for job in JOBS
    }
    # One has just begun to compare looks, the other compares two a second apart.
    assert names["node"] ^ names["sockdiag"] <= {
        "sockdiag_interval_seconds",
        "sockdiag_qdisc_drops_total",
        "sockdiag_qdisc_backlog_bytes",
    }
    assert len(names["node"] & names["sockdiag"]) > 100
    assert names["node"] <= set(shipped.EXPORTED)


def test_every_rule_is_evaluated(fleet: Fleet) -> None:
    """Prometheus evaluates every shipped rule on what is really scraped, without an error."""

    def health() -> list[str]:
        groups = fleet.ask("rules")["groups"]
        return [rule["health"] for group in groups for rule in group["rules"]]

    assert wait_for(lambda: set(health()) == {"ok"})
    assert len(health()) == len(shipped.SHIPPED_RULES)


def test_every_panel_is_evaluated(fleet: Fleet) -> None:
    """Prometheus evaluates every expression of the dashboard, and those that are about levels have something to show."""
    empty = set()
    for title, expression in shipped.panel_expressions():
        filled = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
        if not fleet.query(filled):
            empty.add(title)
    loss_free = {
        "Findings",
        "annotations",
        "UDP datagrams lost",
        "Connection attempts refused",
        "What could not be read",
        "TCP segments dropped after they arrived",
        "Packets dropped before a socket",
        "Sockets that refused something",
        "Fullest accept queues",
        "Fullest UDP receive buffers",
        "TCP segments retransmitted",
    }
    # Limits of the host cannot be seen in this namespace.
    assert empty <= loss_free | {"TCP memory", "Share of each limit in use"}


def test_lost_datagrams_fire_the_shipped_alert(fleet: Fleet) -> None:
    """Before the loss the alert is silent; datagrams that find a receive buffer full make it fire, by both ways."""
    assert not {job for alert, job in fleet.firing() if alert == UDP_LOST}
    assert fleet.query("sockdiag_udp_rcvbuf_errors_total > 0") == []
    fleet.namespace.call(datagrams.udp_overflow)
    assert wait_for(lambda: {job for alert, job in fleet.firing() if alert == UDP_LOST} == JOBS, 90), fleet.firing()
    counted = int(re.findall(r"Udp: (?:\d+ ){4}(\d+)", fleet.namespace.proc("snmp").decode())[0])
    seen = [float(sample["value"][1]) for sample in fleet.query("sockdiag_udp_rcvbuf_errors_total")]
    assert all(0 < value <= counted for value in seen)
    # The rules on the host say the same.
    assert wait_for(lambda: ("SockdiagCritical", "sockdiag") in fleet.firing())
    codes = {
        sample["metric"]["code"] for sample in fleet.query('ALERTS{alertname="SockdiagCritical",alertstate="firing"}')
    }
    assert codes == {"UDP_RECEIVE_BUFFER_FULL"}


def test_a_file_that_is_not_written_any_more(fleet: Fleet) -> None:
    """Once the timer is stopped the age of what the file says grows, while the service's look stays young."""
    fleet.host.run("systemctl", "stop", "sockdiag-textfile.timer")
    age = "time() - sockdiag_look_timestamp_seconds"
    assert wait_for(lambda: fleet.jobs(f"{age} > 12") == {"node"})
