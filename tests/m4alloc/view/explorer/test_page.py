"""The page's source: one file, every script in its place, nothing of the input taken for markup."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

from m4alloc.view.explorer.kinds import KINDS, table
from m4alloc.view.explorer.life import FindingKind, Mark
from m4alloc.view.explorer.page import page, scripts
from m4alloc.view.explorer.sources_attack import life_of_attack
from m4alloc.view.explorer.sources_script import life_of_script
from m4alloc.view.palette import ROLES
from spec.script import parse

SOURCE = resources.files("m4alloc.view.explorer")
NODE = shutil.which("node")
SCRIPT = "a = malloc 24 -> 0x1000\nb = calloc 2 8 -> 0x1010\nfree a\nload a 0 8\nfree b\nfree b\n"
IMPORTS = (
    "from m4alloc.view.explorer.page import page",
    "from m4alloc.view.explorer.sources_script import life_of_script",
    "from spec.script import parse",
)


def test_every_script_is_on_the_page_once_and_in_order() -> None:
    names = scripts()
    assert sorted([*names, "lasso.js"]) == sorted(one.name for one in SOURCE.iterdir() if one.name.endswith(".js"))
    assert names[0] == "decode.js"
    assert names[-1] == "main.js"
    maps = [name for name in names if name.startswith("map")]
    assert maps == sorted(maps)
    assert names.index("heap.js") < names.index(maps[0]) < names.index(maps[-1]) < names.index("curves.js")


def test_nothing_is_fetched_and_nothing_is_left_to_fill_in() -> None:
    html = page([life_of_attack("double-free", "none")])
    markup = re.sub(r"<script.*?</script>|<style>.*?</style>", "", html, flags=re.DOTALL)
    assert not re.search(r"\b(src|href)=\"(?!#)", markup)
    assert "@import" not in html and "url(http" not in html
    assert "{{" not in markup and "<!--" not in html
    assert html.count("<script>") == 1


@pytest.mark.parametrize("name", scripts())
def test_no_script_ends_the_element_that_holds_it(name: str) -> None:
    text = SOURCE.joinpath(name).read_text("utf-8")
    assert "</script" not in text.lower() and "<!--" not in text
    assert text.startswith(('"use strict";', "//"))


def test_what_the_input_says_is_text_and_not_markup() -> None:
    evil = "</script><script>alert(1)</script>{{payload}}"
    life = life_of_attack("double-free", "none")
    html = page([replace(life, title=evil, marks=(Mark(0, 0, "label", evil),))], evil)
    assert "alert(1)</script>" not in html
    assert html.count("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{payload}}") == 2


def test_the_page_is_the_same_each_time() -> None:
    """In a process whose sets have another order, too."""
    life = life_of_script(parse(SCRIPT), text=SCRIPT, title="t")
    program = "\n".join(
        [*IMPORTS, f"T = {SCRIPT!r}", "print(page([life_of_script(parse(T), text=T, title='t')]), end='')"]
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.decode() == page([life])


@pytest.mark.skipif(NODE is None, reason="no node")
def test_the_scripts_are_one_script_that_can_be_read(tmp_path: Path) -> None:
    whole = tmp_path / "whole.js"
    whole.write_text("\n".join(SOURCE.joinpath(name).read_text("utf-8") for name in scripts()), encoding="utf-8")
    assert NODE is not None
    done = subprocess.run([NODE, "--check", str(whole)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_title_that_turns_round_does_not_turn_the_page() -> None:
    assert "<title>a[U+202E]b</title>" in page([], "a\u202eb")


def test_the_page_draws_every_kind_of_finding_that_there_is() -> None:
    outlines = re.search(r"OUTLINES = \{(.*?)\};", SOURCE.joinpath("map_marks.js").read_text("utf-8"), re.DOTALL)
    assert outlines is not None
    assert re.findall(r"(\w+):", outlines[1]) == [*KINDS] == [*json.loads(table())]
    assert {*KINDS} == {*get_args(FindingKind)}
    assert all(kind.role in ROLES for kind in KINDS.values())
    assert len({kind.letter for kind in KINDS.values()}) == len(KINDS), "told apart by their letters"
