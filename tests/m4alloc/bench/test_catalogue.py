"""The list of programs: what is in it, and what is said of one that is malformed."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.bench.catalogue import CHECKOUT, CatalogueError, catalogue, chosen
from tests.m4alloc.bench.conftest import PROGRAMS


def test_the_projects_own_programs_have_sources_patterns_and_scales() -> None:
    programs = catalogue()
    assert len(programs) >= 10 and all(one.pattern and one.arguments and one.short for one in programs)
    assert {one.source.parent for one in programs} == {CHECKOUT}
    assert all(one.threads > 0 for one in programs if one.scales)
    assert {True, False} == {one.scales for one in programs} == {one.fixed for one in programs}


def test_the_number_of_threads_stands_where_it_belongs() -> None:
    program = chosen(catalogue(PROGRAMS), ["threads"])[0]
    assert program.command(Path("/x"), quick=True, threads=8) == ["/x", "50", "8"]
    assert program.command(Path("/x"), quick=False, threads=1) == ["/x", "200", "1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no [[program]] in it"),
        ("[[program]]\nname = 'a'", "program 1 (a): `source` is missing or no string"),
        ("[[program]]\nname = 'a'\nsource = 'b.c'\narguments = '3'\nshort = []", "`arguments` is missing or no list"),
        ("[[program]]\nname = 'a'\nsource = 'b.c'\narguments = []\nshort = []", "there is no "),
        ("[[program", "catalogue.toml: "),
    ],
)
def test_a_malformed_list_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "catalogue.toml").write_text(text)
    with pytest.raises(CatalogueError) as caught:
        catalogue(tmp_path)
    assert message in str(caught.value) and str(tmp_path) in str(caught.value)
