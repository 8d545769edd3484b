"""The ready-to-use files by themselves: what they name exists, what they run the program accepts."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sockdiag.analysis.measures import all_measures, find
from sockdiag.analysis.metric_families import family_of
from sockdiag.cli import typer_app
from sockdiag.cli.catalog import COMMANDS
from sockdiag.cli.commands.check import MEASURE
from sockdiag.cli.env import Env
from sockdiag.judging import finding_metrics
from sockdiag.judging.registry import RULES
from sockdiag.metrics import own as metrics_own
from tests.needs import need
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sockdiag.cli.spec import Args, Command

SHIPPED = PROJECT / "integrations"
FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file())
RULES_FILE = SHIPPED / "prometheus/sockdiag.rules.yml"
RULES_TEST = SHIPPED / "prometheus/sockdiag.rules.test.yml"
DASHBOARD = SHIPPED / "grafana/sockdiag.json"

# Declared families, by the name of their samples: their labels.
EXPORTED = {family.sample_name: set(family.labels) for family in (*finding_metrics.DECLARED, *metrics_own.DECLARED)} | {
    family.sample_name: set(family.labels) for family in map(family_of, all_measures())
}
# Labels that every sample may have: Prometheus's, and that of --netns.
OF_ALL = {"job", "instance", "netns"}
COMMAND_LINE = re.compile(r"\bsockdiag (?:" + "|".join(COMMANDS) + r")\b[^`\"'\n)|;<]*")


def command_lines(path: Path) -> list[str]:
    """Return what stands in a file and runs one of the program's commands."""
    text = path.read_text(encoding="utf-8").replace("{{ $labels.code }}", "CLOSE_WAIT_LEAK")
    return [line.strip() for line in COMMAND_LINE.findall(text)]


LINES = sorted(
    {(str(path.relative_to(SHIPPED)), line) for path in FILES if path.suffix != ".json" for line in command_lines(path)}
)


@pytest.mark.parametrize(
    "name",
    [
        "systemd/sockdiag-textfile.service",
        "systemd/sockdiag-metrics.service",
        "cron.d/sockdiag",
        "nrpe/sockdiag.cfg",
        "prometheus/sockdiag.rules.yml",
        "ansible/sockdiag.fact",
        "ansible/sockdiag-fleet.yml",
        "sos/sockdiag.py",
        "telegraf/sockdiag.conf",
        "README.md",
    ],
)
def test_each_file_runs_the_program(name: str) -> None:
    """Each file that should run the program has command lines for the test below."""
    assert [line for file, line in LINES if file == name]


@pytest.mark.parametrize(("file", "line"), LINES)
def test_command_lines_are_accepted(file: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command line is one that the program accepts."""
    accepted: list[Args] = []

    def keep(_command: Command, args: Args, _env: Env) -> int:
        accepted.append(args)
        return 0

    monkeypatch.setattr("sockdiag.cli.running.execute", keep)
    words = shlex.split(line)[1:]
    assert typer_app.run_typer(words, Env()) == 0
    assert len(accepted) == 1
    if words[0] == "rules" and len(words) > 1:
        assert words[1] in RULES
    for name in accepted[0].get(MEASURE):
        assert find(name)[0].name


def test_readme_names_every_file() -> None:
    """README says of each file where it goes, and names no other."""
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z0-9.-]+)/[a-z.-]+)`", text))
    assert named == {str(path.relative_to(SHIPPED)) for path in FILES} - {"README.md"}


# Prometheus


def promtool(*words: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    need("promtool")
    return subprocess.run(["promtool", *words], check=False, capture_output=True, text=True, timeout=60, cwd=cwd)


def names_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics of an expression, each with the labels that its matchers name."""
    for name, matchers in re.findall(r"\b((?:instance:)?sockdiag_[a-z0-9_]+(?::\w+)?)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def groups() -> list[dict[str, Any]]:
    """Return the groups of the rules file."""
    loaded: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))["groups"]
    return loaded


SHIPPED_RULES = [rule for group in groups() for rule in group["rules"]]
ALERTS = [rule for rule in SHIPPED_RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in SHIPPED_RULES if "record" in rule}
each_rule = pytest.mark.parametrize(
    "number", range(len(SHIPPED_RULES)), ids=[rule.get("alert") or rule["record"] for rule in SHIPPED_RULES]
)


def check_names(expression: str) -> int:
    """Check that an expression names what is exported or recorded, with labels that it has; count the names."""
    found = list(names_in(expression))
    for name, labels in found:
        if name in RECORDED:
            continue
        assert name in EXPORTED
        assert labels <= EXPORTED[name] | OF_ALL
    return len(found)


def test_rules_are_valid() -> None:
    """Promtool finds nothing to say of the rules."""
    done = promtool("check", "rules", str(RULES_FILE))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(SHIPPED_RULES)} rules found" in done.stdout


@each_rule
def test_rules_name_what_is_exported(number: int) -> None:
    """Each rule rests on metrics and labels that the program exports."""
    assert check_names(SHIPPED_RULES[number]["expr"]) >= 1


def test_unit_tests_of_the_rules_pass() -> None:
    """The shipped unit tests pass."""
    done = promtool("test", "rules", RULES_TEST.name, cwd=RULES_TEST.parent)
    assert (done.returncode, done.stderr) == (0, "")


@each_rule
def test_unit_tests_notice_a_broken_rule(number: int, tmp_path: Path) -> None:
    """Each rule has a unit test: with an expression that never holds in its place, they fail."""
    changed = groups()
    [rule for group in changed for rule in group["rules"]][number]["expr"] = "vector(0) > 1"
    (tmp_path / RULES_FILE.name).write_text(yaml.safe_dump({"groups": changed}))
    (tmp_path / RULES_TEST.name).write_text(RULES_TEST.read_text())
    assert promtool("check", "rules", RULES_FILE.name, cwd=tmp_path).returncode == 0
    assert promtool("test", "rules", RULES_TEST.name, cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_alerts_say_what_they_must(alert: dict[str, Any]) -> None:
    """Each alert has a severity, waits, and says in a line what is wrong, and at length what to run on the host."""
    assert re.fullmatch(r"Sockdiag[A-Z][A-Za-z]+", alert["alert"])
    assert re.fullmatch(r"\d+m", alert["for"])
    assert alert["labels"]["severity"] in ("critical", "warning")
    summary, description = (alert["annotations"][name] for name in ("summary", "description"))
    assert "\n" not in summary
    assert "{{ $labels.instance }}" in summary
    assert summary.endswith(".")
    assert re.search(r"`(sockdiag|systemctl) [^`]+`", description)


# Grafana


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def panel_expressions() -> list[tuple[str, str]]:
    """Return the expressions of the dashboard, each with the title of its panel."""
    board = dashboard()
    found = [
        (panel["title"], target["expr"])
        for panel in board["panels"]
        if panel["type"] != "row"
        for target in panel["targets"]
    ]
    found += [("annotations", one["expr"]) for one in board["annotations"]["list"] if "expr" in one]
    return found


def test_dashboard_can_be_imported() -> None:
    """It is the classic model: a fixed uid, no id, and no data source but the variable's."""
    board = dashboard()
    assert (board["uid"], "id" in board) == ("sockdiag", False)
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    sources = re.findall(r'"type": "(?:prometheus|grafana)",\s*"uid": "([^"]+)"', DASHBOARD.read_text(encoding="utf-8"))
    assert set(sources) == {"${datasource}", "-- Grafana --"}
    for one in variables.values():
        for name in re.findall(r"label_values\((\w+)", one.get("definition", "")):
            assert name in EXPORTED
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"\$\{?(\w+)", " ".join(expression for _title, expression in panel_expressions())))
    assert used <= {*variables, "__rate_interval"}


def test_panels_do_not_overlap() -> None:
    """Each cell of the grid has one panel at most, and no panel is wider than the grid."""
    cells: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells
        cells |= own


def test_panels_have_titles_and_say_what_they_show() -> None:
    """Each panel has a title of its own and a description."""
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)


def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """Promtool accepts each expression, and each names what is exported."""
    rules = []
    for number, (title, expression) in enumerate(panel_expressions()):
        assert check_names(expression) >= 1 or title == "annotations"
        filled = expression.replace("$__rate_interval", "5m").replace("$job", "node").replace("$instance", ".*")
        assert "$" not in filled
        rules.append({"record": f"panel:{number}", "expr": filled})
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    done = promtool("check", "rules", str(path))
    assert (done.returncode, done.stderr) == (0, "")


# The others


def test_cron_file_is_one_that_cron_takes() -> None:
    """Cron ignores a file whose name has a dot, and a last line without an end; a % would be a line end."""
    path = SHIPPED / "cron.d/sockdiag"
    text = path.read_text(encoding="utf-8")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", path.name)
    assert text.endswith("\n")
    settings = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]+=", line))
    assert "/usr/local/bin" in settings["PATH"].split(":")
    (job,) = [line for line in text.splitlines() if line and not re.match(r"#|[A-Z]+=", line)]
    assert re.match(r"(\S+ ){5}root ", job)
    assert "%" not in job
    assert path.stat().st_mode & 0o022 == 0


def test_telegraf_file_is_toml() -> None:
    """Telegraf's file has an input of metrics and one of the check, with a time limit below its interval."""
    inputs = tomllib.loads((SHIPPED / "telegraf/sockdiag.conf").read_text(encoding="utf-8"))["inputs"]["exec"]
    assert [one["data_format"] for one in inputs] == ["influx", "nagios"]
    for one in inputs:
        assert int(one["timeout"].rstrip("s")) < int(one["interval"].rstrip("s"))
