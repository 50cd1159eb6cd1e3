"""The map in the terminal: its lines, with and without colours."""

from __future__ import annotations

import io
import re

from rich.console import Console

from m4alloc.view.explorer.run_text import FINDINGS, lines, print_map
from m4alloc.view.explorer.sources_attack import life_of_attack
from m4alloc.view.explorer.sources_script import life_of_script
from spec.script import parse
from tests.m4alloc.view.explorer.lives_for_tests import EXCERPTS, life_in

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def printed(life: object, width: int) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system="truecolor")
    print_map(life, console)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_colours_add_a_legend_and_change_no_cell() -> None:
    life = life_in(EXCERPTS / "sqlite3.m4t.xz")
    coloured = printed(life, 90)
    plain = COLOUR.sub("", coloured).splitlines()
    assert coloured.count("\x1b[38;2;") > 20
    legend = [line for line in plain if line.lstrip().startswith("█ up to")]
    assert len(legend) == 1
    assert [line.rstrip() for line in plain if line not in legend] == [line.rstrip() for line in lines(life, 90)]


def test_the_map_is_as_wide_as_it_was_asked_to_be() -> None:
    body = [line for line in lines(life_of_attack("linear-overflow", "none"), 80) if line.startswith("0x")]
    assert {len(line) for line in body} == {80}


def test_the_characters_of_the_map_are_explained_below_it() -> None:
    told = lines(life_of_attack("linear-overflow", "none"), 60)
    (legend,) = [line for line in told if line.startswith("filled")]
    assert legend.split()[1:] == ["·", "none", "░", "to", "1/4", "▒", "to", "1/2", "▓", "to", "3/4", "█", "more"]
    assert len(legend) <= 60


def test_only_the_first_findings_are_listed() -> None:
    text = "\n".join(["a = malloc 24 -> 0x1000", "free a", *["usable_size a -> 24"] * 30])
    told = lines(life_of_script(parse(text), text=text, title="t"))
    assert told[-1] == f"and {30 - FINDINGS} more"


def test_a_heap_without_blocks_is_said_to_have_none() -> None:
    told = lines(life_of_script(parse("free NULL"), text="free NULL", title="t"))
    assert "(no block ever lived)" in told
    assert COLOUR.sub("", printed(life_of_script(parse("free NULL"), text="free NULL", title="t"), 60)).strip()
