"""The glossary defines each term once, in order, and refers to terms that it defines."""

from __future__ import annotations

import re

import pytest

from tests.documents.reading import read

TEXT = read("docs/glossary.md")
SECTIONS = {section.partition("\n")[0]: section for section in TEXT.split("\n## ")[1:]}
DEFINED = re.findall(r"^\* \*\*([^*]+)\*\*: \S", TEXT, re.MULTILINE)


def test_every_entry_is_a_definition() -> None:
    """Each point of the lists defines one term."""
    assert len(DEFINED) > 40
    assert TEXT.count("\n* ") == len(DEFINED)


def test_terms_are_defined_once() -> None:
    """No term is defined twice, whatever its case or number."""
    folded = [term.casefold().removesuffix("s") for term in DEFINED]
    assert len(folded) == len(set(folded))


@pytest.mark.parametrize("section", SECTIONS)
def test_terms_are_in_order(section: str) -> None:
    """Terms are in alphabetical order within their section."""
    terms = re.findall(r"^\* \*\*([^*]+)\*\*:", SECTIONS[section], re.MULTILINE)
    assert terms == sorted(terms)


def test_terms_in_italics_are_defined() -> None:
    """A word in italics is a term of the glossary; its plural may be used."""
    used = set(re.findall(r"(?<!\*)\*([a-z][a-z ]*)\*(?!\*)", TEXT.replace("\n  ", " ")))
    assert len(used) > 20
    terms = set(DEFINED) | {f"{term}s" for term in DEFINED} | {f"{term}es" for term in DEFINED}
    assert used - terms == set()
