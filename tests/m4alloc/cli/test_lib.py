"""`m4alloc lib`: the paths it prints, the library it builds, what wrong usage is told."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from m4alloc.cli import main
from m4alloc.lib import include, lib, monitor, recorder
from tests.m4alloc.native import need


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main.main(["lib", *words])
    return status, *capsys.readouterr()


def test_without_words_the_path_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys) == (0, f"{lib()}\n", "")
    assert command(capsys, "--recorder") == (0, f"{recorder()}\n", "")
    assert command(capsys, "--monitor") == (0, f"{monitor()}\n", "")
    assert command(capsys, "--include") == (0, f"{include()}\n", "")


def test_the_flags_that_are_printed_find_the_header(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, flags, _ = command(capsys, "--cflags")
    need("gcc", "gcc libc6-dev")
    source = '#include <m4alloc_label.h>\nint main(void) { M4ALLOC_LABEL("hello"); return 0; }\n'
    words = ["gcc", *shlex.split(flags), "-x", "c", "-", "-o", str(tmp_path / "hello")]
    assert subprocess.run(words, input=source, capture_output=True, text=True).stderr == ""
    assert subprocess.run([tmp_path / "hello"]).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--strategy", "hardened"), "--strategy and -o go together"),
        (("-o", "x.so"), "--strategy and -o go together"),
        (
            ("--strategy", "hardened", "-o", "x.so", "--json"),
            "--recorder, --monitor, --include, --cflags and --json print paths",
        ),
        (("--strategy", "/no/such.toml", "-o", "x.so"), "--strategy /no/such.toml: No such file or directory"),
    ],
)
def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    status, out, err = command(capsys, *words)
    assert (status, out) == (2, "") and message in err, err


def test_a_strategy_that_cannot_run_is_refused_before_anything_is_built(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("canaries = 7\n")
    status, _, err = command(capsys, "--strategy", str(tmp_path / "mine.toml"), "-o", str(tmp_path / "mine.so"))
    assert status == 2 and "canaries is 7; it must be from 0 to 1" in err, err
    assert not (tmp_path / "mine.so").exists()


@pytest.mark.campaign
def test_the_library_that_is_built_has_the_strategy_and_no_more_symbols_than_it_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("[strategy]\nclasses = [64, 32768]\nguard_empty = false\n")
    library = tmp_path / "mine.so"
    status, out, _ = command(capsys, "--strategy", str(tmp_path / "mine.toml"), "-o", str(library))
    assert (status, out) == (0, f"{library}\n")
    script = "import ctypes as c; l = c.CDLL(None); l.malloc.restype = c.c_void_p; "
    script += "l.malloc_usable_size.argtypes = [c.c_void_p]; print(l.malloc_usable_size(l.malloc(1)))"
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc"}
    done = subprocess.run(["python3", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "64\n"
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    assert " malloc\n" in symbols and " memcpy\n" not in symbols
