"""`m4alloc cc`: every word is the compiler's, and so is the exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from m4alloc.monitor.instrument import HOOKS
from tests.m4alloc.native import need


def cc(*words: str | Path, folder: Path, verb: str = "cc", **environment: str) -> subprocess.CompletedProcess[str]:
    need("gcc", "gcc")
    return subprocess.run(
        [sys.executable, "-m", "m4alloc", verb, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3]), **environment},
    )


def test_what_looks_like_an_option_of_ours_is_the_compilers(tmp_path: Path) -> None:
    plain = subprocess.run([need("gcc", "gcc"), "--version"], capture_output=True, text=True, check=True).stdout
    assert cc("--version", folder=tmp_path).stdout == plain
    assert cc("-h", folder=tmp_path).returncode == 1  # gcc: missing argument to '-h'
    assert "Usage: gcc" in cc("--help", folder=tmp_path).stdout


def test_help_says_what_is_added_before_the_compilers_own(tmp_path: Path) -> None:
    said = cc("--help", folder=tmp_path).stdout
    ours, _, theirs = said.partition("\n\n")
    assert all(word in ours for word in ("--hooks=", "--property", "--stack", "--uninitialised", "m4alloc help cc"))
    assert theirs.startswith("Usage: gcc")


def test_the_exit_status_and_what_is_said_are_the_compilers(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return }\n")
    (tmp_path / "good.c").write_text("int main(void) { return 0; }\n")
    bad = cc("-c", "bad.c", folder=tmp_path)
    assert bad.returncode == 1
    assert "bad.c:1:25: error:" in bad.stderr
    good = cc("-c", "good.c", folder=tmp_path)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert (tmp_path / "good.o").exists()


def test_words_that_are_no_text_reach_the_compiler(tmp_path: Path) -> None:
    (tmp_path / "a b.c").write_text("int f(int *p) { return *p; }\n")
    assert cc("-c", "a b.c", "-o", "o'ut.o", folder=tmp_path).returncode == 0
    assert (tmp_path / "o'ut.o").exists()


def test_cplusplus_is_another_verb(tmp_path: Path) -> None:
    need("g++", "g++")
    (tmp_path / "a.cc").write_text("template <class T> T f(T *p) { return *p; }\nint g(int *p) { return f(p); }\n")
    assert cc("-c", "a.cc", folder=tmp_path, verb="c++").returncode == 0


def test_what_cannot_be_carried_out_is_one_line_and_status_2(tmp_path: Path) -> None:
    refused = cc("-m32", "-c", "a.c", folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "m4alloc cc: -m32: the runtime is 64-bit only; compile for x86_64 or aarch64\n"


def test_without_words_the_options_are_told(tmp_path: Path) -> None:
    nothing = cc(folder=tmp_path)
    assert nothing.returncode == 2
    assert f"--hooks={'|'.join(HOOKS)}" in nothing.stderr
    assert nothing.stderr.endswith("m4alloc cc: no words for the compiler, as in: -O2 -c program.c\n")


def test_options_come_from_the_environment_too(tmp_path: Path) -> None:
    refused = cc("-c", "a.c", folder=tmp_path, M4ALLOC_CC_OPTIONS="--hooks=none")
    assert refused.stderr == "m4alloc cc: --hooks=none: there are kernel-address and thread\n"
    other = cc("-c", "a.c", folder=tmp_path, M4ALLOC_CC="no-such-cc")
    assert other.stderr.startswith("m4alloc cc: the compiler 'no-such-cc' was not found: apt-get install gcc libc6-dev")
