"""`python -m exercises` works in a copy of the folder, judges in order, and says what to do about what is missing."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from exercises.__main__ import main
from exercises.course import promise, seam, telling
from exercises.course.steps import STEPS
from spec.acceptor import Acceptor
from spec.history import accept
from spec.script import parse
from spec.script_history import to_events as history_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder as a student has it who installed m4alloc and copied exercises/ somewhere."""
    shutil.copytree(ROOT / "exercises", tmp_path / "exercises", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "exercises"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": f"{folder.parent}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.slow
def test_a_student_who_has_done_everything_is_told_so(copy: Path) -> None:
    for step in STEPS:
        shutil.copy(copy / "solutions" / f"{step.folder}.py", copy / step.folder / "heap.py")
    shutil.copy(copy / "solutions" / "quarantine.m4m", copy / "step5_time")
    done = python(copy, "-m", "exercises")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("this step is done.") == 5
    assert "BROKEN" not in done.stdout


@pytest.mark.campaign
def test_the_heaps_of_steps_1_and_2_can_be_graded(copy: Path) -> None:
    for step in STEPS[:2]:
        shutil.copy(copy / "solutions" / f"{step.folder}.py", copy / step.folder / "heap.py")
    script = copy / "two.heap"
    script.write_text("a = malloc 24\nb = calloc 3 8\na = realloc a 4000\nfree b\nfree a\n", encoding="utf-8")
    graded = python(copy, "-m", "m4alloc", "grade", "exercises/graded.py:Coalescing", str(script))
    assert "HOLDS on 1 trace" in graded.stdout, graded.stdout + graded.stderr


def test_what_python_cannot_read_is_named_with_its_line(copy: Path) -> None:
    (copy / "step1_free_list" / "heap.py").write_text("class Heap:\n    def malloc(self\n", encoding="utf-8")
    done = python(copy, "-m", "exercises", "1")
    assert done.returncode == 1
    assert "heap.py line 2 is no Python" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_heap_that_hangs_ends_the_step_at_once(copy: Path) -> None:
    file = copy / "step1_free_list" / "heap.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("        start, end = self.ranges[0]\n", "        while True:\n            pass\n"))
    judge = copy / "course" / "promise.py"
    judge.write_text(judge.read_text(encoding="utf-8").replace("SECONDS = 5.0", "SECONDS = 0.1"), encoding="utf-8")
    done = python(copy, "-m", "exercises", "1")
    assert "had not answered after 0.1 seconds, in aligned_alloc(), heap.py line" in done.stdout
    assert "the other 11 were not tested" in done.stdout
    assert "0 of 12 promises hold" in done.stdout


@pytest.mark.campaign
def test_pytest_tells_the_same_without_a_stack_trace(copy: Path) -> None:
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "exercises", "-k", "step1-aligned"]
    done = python(copy, *arguments, "--rootdir", str(copy))
    assert done.returncode == 1
    assert "is no multiple of 16" in done.stdout
    assert "def test_promise" not in done.stdout


def test_without_a_step_it_stops_at_the_first_that_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    told = capsys.readouterr().out
    assert told.startswith("step 1, a free list: exercises/step1_free_list/heap.py\n")
    assert "step 2" not in told
    assert "mend the first that is broken, and run again." in told


def test_a_step_that_stands_on_an_unfinished_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2"]) == 1
    told = capsys.readouterr().out
    assert "This step stands on step 1, a free list, which is not done" in told
    assert "cp exercises/solutions/step1_free_list.py" in told


def test_a_history_is_saved_as_a_script_that_shows_the_same_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.heap"
    assert main(["1", "--save", str(path)]) == 1
    assert f"m4alloc view {path}" in capsys.readouterr().out
    history = history_of(parse(path.read_text(encoding="utf-8"), "one.heap"))
    assert [violation.rule.name for violation in accept(history, Acceptor("c17")).violations] == [
        "result-aligned-fundamental"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["3", "--save", "x.heap"], "one step, 1 or 2"),
        (["1", "--save", "/nowhere/x.heap"], "No such file"),
        (["1", "--save", "heap.py"], "heap.py: the name of a heap script ends in .heap"),
    ],
)
def test_what_cannot_be_saved_is_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_the_texts_show_what_the_starters_get(judged: Callable[..., Any]) -> None:
    for step in STEPS:
        text = step.file.with_name("README.md").read_text(encoding="utf-8")
        shown = [block for block in text.split("```") if block.lstrip().startswith("history")]
        assert len(shown) == (step.number != 2)
        found = judged(step.number, starter=True)
        told = [words(" ".join((*one.history, one.happened))) for one in found.values()]
        for block in shown:
            parts = [words(part) for part in words(re.sub(r"\bhint .*", "", block, flags=re.DOTALL)).split("...")]
            assert any(all(part in one for part in parts) for one in told), parts


def words(text: str) -> str:
    """The text without its layout and labels."""
    return " ".join(re.sub(r"^\s+(history|happened) ", " ", text, flags=re.MULTILINE).split())


@pytest.mark.parametrize("module", [promise, seam, telling])
def test_the_examples_in_docstrings_are_right(module: ModuleType) -> None:
    tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL)
    assert tried.failed == 0
    assert tried.attempted > 0


def test_there_are_five_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["6"])
    assert stopped.value.code == 2
    assert "there is no step 6; the steps are 1 to 5" in capsys.readouterr().err


def test_the_projects_own_test_run_leaves_the_exercises_out() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "exercises" not in settings["tool"]["pytest"]["ini_options"]["testpaths"]


def test_each_step_has_a_text_with_the_same_parts() -> None:
    for step in STEPS:
        text = step.file.with_name("README.md").read_text(encoding="utf-8")
        for part in ("## Goal", "## Read", "## Given", "## Write", "## Run", "<details>"):
            assert part in text, f"{step.folder}: {part}"
        assert f"python -m exercises {step.number}" in text
        for one in step.promises[:3]:
            assert one.name in text
