"""What the hosting service and pre-commit read is valid, pinned, and names what exists."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.program import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TEMPLATES = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
HOOKS = PROJECT / ".pre-commit-config.yaml"
# The schemas that the vendors publish, as check-jsonschema carries them: no network is needed.
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": [path for path in TEMPLATES if path.stem != "config"],
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
}


def validate(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Check files against a schema."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def loaded(path: Path) -> dict[str, Any]:
    """Read a YAML file; the key ``on`` of a workflow becomes True, as YAML 1.1 has it."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def jobs() -> list[tuple[str, dict[str, Any]]]:
    """Return every job of every workflow."""
    return [(f"{path.stem}.{name}", job) for path in WORKFLOWS for name, job in loaded(path)["jobs"].items()]


def declared() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_match_their_schema(schema: str) -> None:
    """Each file is what its reader accepts."""
    assert SCHEMAS[schema]
    done = validate(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "path", "right", "wrong"),
    [
        ("vendor.github-workflows", WORKFLOWS[0], "runs-on:", "runs-at:"),
        ("custom.github-workflows-require-timeout", WORKFLOWS[0], "timeout-minutes:", "# timeout-minutes:"),
        ("vendor.github-issue-forms", GITHUB / "ISSUE_TEMPLATE" / "bug.yml", "type: textarea", "type: text"),
        ("vendor.dependabot", GITHUB / "dependabot.yml", "interval: monthly", "interval: sometimes"),
    ],
)
def test_schemas_find_mistakes(schema: str, path: Path, right: str, wrong: str, tmp_path: Path) -> None:
    """A file with a mistake does not pass."""
    text = path.read_text(encoding="utf-8")
    assert right in text
    broken = tmp_path / path.name
    broken.write_text(text.replace(right, wrong), encoding="utf-8")
    done = validate(schema, broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Schema validation errors" in done.stdout


def test_workflows_grant_nothing_by_default() -> None:
    """A workflow starts without permissions; a job may read the repository, and no more."""
    for path in WORKFLOWS:
        assert loaded(path)["permissions"] == {}, path.name
    for name, job in jobs():
        assert job["permissions"] == {"contents": "read"}, name


def test_actions_are_pinned() -> None:
    """Actions are named by commit, with the release in a comment; a tag could be moved. None keeps the token."""
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line:
                assert re.fullmatch(r" +- uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    for name, job in jobs():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_text_of_events_is_not_run() -> None:
    """No script contains an expression: a title or a branch name that somebody chose would become shell."""
    for name, job in jobs():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), name


def test_tests_run_on_every_python() -> None:
    """The matrix has the Python releases that pyproject.toml claims; what runs on one runs on the oldest."""
    prefix = "Programming Language :: Python :: 3."
    claimed = [line.rpartition(" ")[2] for line in declared()["project"]["classifiers"] if line.startswith(prefix)]
    assert len(claimed) >= 4
    everything = dict(jobs())
    assert everything["ci.tests"]["strategy"]["matrix"]["python"] == claimed
    for name in ("ci.lint", "ci.types", "ci.min-deps"):
        (version,) = [step["with"]["python-version"] for step in everything[name]["steps"] if "setup" in str(step)]
        assert version == claimed[0], name


def test_make_targets_exist() -> None:
    """Every target that a workflow or a hook makes is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    scripts = [step.get("run", "") for _name, job in jobs() for step in job["steps"]]
    scripts += [hook["entry"] for repo in loaded(HOOKS)["repos"] for hook in repo["hooks"]]
    named = {target for script in scripts for target in re.findall(r"^ *make ([a-z-]+)", script, re.MULTILINE)}
    assert {"style", "types", "gen-check", "test", "test-min", "dist", "deb"} <= named
    assert named <= targets


def test_tests_left_out_of_coverage_exist() -> None:
    """What the Makefile deselects exists, so that a module that moves or a test that is renamed is not measured by accident."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^UNMEASURED [+:]= ([^:\s]+)(?:::(\S+))?$", makefile, re.MULTILINE)
    assert len(named) == makefile.count("\nUNMEASURED ") > 0
    for file, name in named:
        assert f"def {name}" in (PROJECT / file).read_text(encoding="utf-8"), (file, name)


def test_hooks_use_the_tools_of_the_project() -> None:
    """Every hook runs a program that the lint group installs: one version, the one that `make lint` uses."""
    group = " ".join(declared()["dependency-groups"]["lint"])
    hooks = [hook for repo in loaded(HOOKS)["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in loaded(HOOKS)["repos"]} == {"local"}
    providers = {"check-added-large-files": "pre-commit-hooks"}
    for hook in hooks:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        if program != "make":
            assert program.startswith(".venv/bin/"), program
            name = program.rpartition("/")[2]
            assert re.search(rf"\b{providers.get(name, name)}[\[>]", group), program


def test_hooks_are_valid() -> None:
    """pre-commit itself accepts its configuration."""
    pytest.importorskip("pre_commit")
    words = [sys.executable, "-m", "pre_commit", "validate-config", str(HOOKS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_templates_name_what_exists() -> None:
    """Documents, headings and options that the templates name exist."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (*TEMPLATES, GITHUB / "PULL_REQUEST_TEMPLATE.md")}
    for name, text in texts.items():
        for document in re.findall(r"\b(?:docs/)?[A-Za-z]+\.md\b", text):
            assert (PROJECT / document).exists(), (name, document)
        for document, heading in re.findall(r"(\w+\.md)\s*\(\"([^\"]+)\"\)", text):
            assert f"## {heading}\n" in (PROJECT / document).read_text(encoding="utf-8"), (name, heading)
