"""Arrays on the stack: overrun, they are found when the function returns; with --stack, at the access."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.m4alloc.monitor.hooked import HOOKS, compiled, words_for
from tests.m4alloc.native import run


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O1 --hooks=thread", "-O0 --stack", "-O2 --stack"])
def test_frames_that_are_left_by_longjmp_are_no_finding(folder: Path, compiler: str, flags: str) -> None:
    target = folder / f"smashed-{compiler}{flags.replace(' ', '')}"
    compiled(words_for(folder, "c", *flags.split(), HOOKS / "smashed.c", "-o", target, compiler=compiler))
    ran = run([target], preload=False, timeout=10)
    assert (ran.status, ran.out, ran.err) == (0, "returned\n", "")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O1 --hooks=thread"])
def test_an_array_that_was_overrun_is_found_when_its_function_returns(folder: Path, compiler: str, flags: str) -> None:
    target = folder / f"smashed-{compiler}{flags.replace(' ', '')}"
    compiled(words_for(folder, "c", *flags.split(), HOOKS / "smashed.c", "-o", target, compiler=compiler))
    ran = run([target, "16"], preload=False, timeout=10)
    assert (ran.status, ran.err) == (1, "smashed, framed\n")


def test_whoever_wants_no_stack_protector_gets_none(folder: Path) -> None:
    for flag in ("-fno-stack-protector", "-fstack-protector-all"):
        assert "-fstack-protector-strong" not in words_for(folder, "c", flag, "-c", "a.c")
    assert "-fstack-protector-strong" in words_for(folder, "c", "-c", "a.c")
