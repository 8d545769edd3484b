"""Numbers of an enumeration are shown as the kernel's words, in every format and in the schema."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from sockdiag.kernel.tcp_states import STATE_NUMBERS
from sockdiag.model.fields import catalogue, resolve
from sockdiag.model.record import FLAGS
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.render.cells import cell
from sockdiag.render.plain import plain
from sockdiag.render.schema import document_schema
from tests.program import FIXTURES, invoke

NAMED = [entry.field for entry in catalogue() if entry.field.words and entry.field.kind != FLAGS]
SCHEMA = document_schema("test", {"info": TcpInfo})["$defs"]["TcpInfo"]


def test_each_number_has_its_word() -> None:
    """State and congestion state, as include/net/tcp_states.h and enum tcp_ca_state count them."""
    shown = plain(TcpInfo(state=8, ca_state=3, fastopen_client_fail=1))
    assert (shown["state"], shown["ca_state"], shown["fastopen_client_fail"]) == (
        "CLOSE_WAIT",
        "Recovery",
        "COOKIE_UNAVAILABLE",
    )
    assert Draft202012Validator(SCHEMA["properties"]["state"]).is_valid(shown["state"])
    assert not Draft202012Validator(SCHEMA["properties"]["state"]).is_valid("CLOSE-WAIT")


@pytest.mark.parametrize("field", NAMED, ids=lambda field: field.name)
def test_in_tables_as_in_json(field: object) -> None:
    """One that a newer kernel added has no word yet, and stays a number; unknown stays unknown."""
    words = field.words  # type: ignore[attr-defined]
    assert [plain(n, field) for n in range(len(words) + 1)] == [*words, len(words)]  # type: ignore[arg-type]
    assert [cell(n, field) for n in range(len(words) + 1)] == [*words, str(len(words))]  # type: ignore[arg-type]
    assert (plain(None, field), cell(None, field)) == (None, "-")  # type: ignore[arg-type]


def test_of_a_socket_it_is_the_word_of_the_row() -> None:
    """In JSON, CSV and tables of a capture, with the filter in the same words."""
    world = ["--root", str(FIXTURES / "6.18-world"), "--netid", "tcp"]
    rows = json.loads(invoke("list", *world, "-o", "state,tcp_info.state", "--json").out)["sockets"]
    told = [(row["state"], row["tcp_info"]["state"]) for row in rows if row["tcp_info"]]
    assert len({state for state, _ in told}) > 3
    assert all(state == word for state, word in told if word is not None)
    for form in ("--csv", "--table=plain"):
        text = invoke("list", *world, "--where", "tcp_info.state = established", "-o", "tcp_info.state", form, "-H").out
        assert set(text.split()) == {b"ESTABLISHED"}
    entry = resolve("tcp_info.state")
    assert entry is not None
    assert [STATE_NUMBERS[word] for word in entry.field.words] == list(range(len(entry.field.words)))
