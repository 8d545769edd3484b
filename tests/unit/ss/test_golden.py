"""What ss 7.1.0 prints for recorded inputs, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need_namespaces
from tests.recorded import SS, printed_by_ss

_CASES: list[dict[str, Any]] = json.loads((SS / "cases.json").read_text())


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    need_namespaces()
    runner = Path(__file__).with_name("golden_runner.py")
    done = subprocess.run(
        [
            "unshare",
            "--net",
            "--mount",
            sys.executable,
            str(runner),
            str(SS),
            str(tmp_path_factory.mktemp("golden")),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: dict[str, list[Any]] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("case", _CASES, ids=[f"{case['case']}-{case['topic']}" for case in _CASES])
def test_case(case: dict[str, Any], answers: dict[str, list[Any]]) -> None:
    code, out, err = answers[case["case"]]
    assert out.encode("latin-1") == printed_by_ss(case["case"])
    assert code == case["exit_code"]
    assert (err == "") == case["stderr_empty"], err
