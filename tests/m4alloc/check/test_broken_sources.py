"""The broken allocators are broken as the table says, and in nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from spec.contract import EXPECTATIONS, RULES
from tests.m4alloc.check.broken import BROKEN, FOLDER, BrokenAllocator, build, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler: apt-get install gcc")

HAS_BUG, HAS_NOT, IS_RIGHT = 0, 1, 0

# A sample of the sample: one a kind, the cheap ones.
QUICK = ("align_one_class", "free_null_crashes", "no_memory_eagain", "remote_free_twice", "fork_child_starts_over")


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that shows each bug; tests/broken/witness.c."""
    program = tmp_path_factory.mktemp("witness") / "witness"
    sources = sorted(map(str, FOLDER.glob("witness*.c")))
    command = [compiler() or "gcc", "-O1", "-Wall", "-Wextra", "-rdynamic", "-pthread", *sources, "-o", str(program)]
    done = subprocess.run([*command, "-ldl"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return program


def ask(witness: Path, name: str, library: Path) -> int:
    """The exit status of the witness `name` against `library`; what it says is shown where a test fails."""
    done = subprocess.run([witness, name, library], capture_output=True, text=True, timeout=120)
    print(done.stdout, done.stderr)
    return done.returncode


def test_the_table_and_the_folder_agree() -> None:
    sources = {path.stem for path in FOLDER.glob("*.c") if not path.stem.startswith("witness")}
    assert [broken.name for broken in BROKEN] == list(dict.fromkeys(broken.name for broken in BROKEN))
    assert {broken.name for broken in BROKEN} == sources
    assert len(BROKEN) >= 80


def test_every_row_names_one_bug_and_rules_that_exist() -> None:
    for broken in BROKEN:
        assert broken.bug.startswith("Bug") and broken.bug.endswith("."), broken.name
        assert broken.rules and broken.rules <= RULES.keys() | EXPECTATIONS.keys(), broken.name
        assert "#ifndef FIXED" in broken.source.read_text(), broken.name


@pytest.mark.parametrize("broken", [row for row in BROKEN if row.name in QUICK], ids=lambda broken: broken.name)
def test_a_broken_allocator_compiles_without_warnings_and_has_its_bug(
    broken: BrokenAllocator, witness: Path, tmp_path: Path
) -> None:
    assert ask(witness, broken.name, build(broken, tmp_path)) == HAS_BUG


def test_the_allocator_they_are_made_of_is_right(witness: Path, tmp_path: Path) -> None:
    library = build(BROKEN[0], tmp_path, fixed=True)
    assert ask(witness, "correct", library) == IS_RIGHT
    assert ask(witness, BROKEN[0].name, library) == HAS_NOT


def test_a_witness_that_does_not_exist_is_an_error(witness: Path, tmp_path: Path) -> None:
    assert ask(witness, "no_such_bug", tmp_path / "none.so") == 2


@pytest.mark.campaign
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_every_broken_allocator_has_its_bug_and_without_it_none(
    broken: BrokenAllocator, witness: Path, tmp_path: Path
) -> None:
    assert ask(witness, broken.name, build(broken, tmp_path)) == HAS_BUG
    fixed = build(broken, tmp_path, fixed=True)
    assert ask(witness, broken.name, fixed) == HAS_NOT
    assert ask(witness, "correct", fixed) == IS_RIGHT
