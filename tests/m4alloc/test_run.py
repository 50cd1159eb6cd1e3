"""m4alloc run: the program runs on the core, as itself, and its status is ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import m4alloc
from m4alloc import _backend
from m4alloc.run import environment, preload

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "m4alloc", "run", *words], capture_output=True, text=True)


def test_the_program_has_the_library_mapped() -> None:
    assert str(m4alloc.lib()) in command("--", "cat", "/proc/self/maps").stdout


def test_the_exit_status_is_the_programs_own() -> None:
    assert command("--", "sh", "-c", "exit 7").returncode == 7
    assert m4alloc.run(["sh", "-c", "exit 7"]) == 7


def test_death_by_a_signal_is_128_and_its_number() -> None:
    assert command("--", "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert m4alloc.run(["sh", "-c", "kill -TERM $$"]) == 128 + signal.SIGTERM


def test_the_program_takes_the_place_of_the_command() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "m4alloc", "run", "--", "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.read()) == process.pid


def test_the_dashes_before_the_program_may_be_left_out() -> None:
    assert command("echo", "-n", "--", "x").stdout == "-- x"


def test_what_was_preloaded_already_stays_behind_us() -> None:
    assert environment(env={"LD_PRELOAD": "/b.so"})["LD_PRELOAD"] == f"{m4alloc.lib()}:/b.so"


def test_our_library_is_never_named_twice() -> None:
    assert preload(Path("/a.so"), "/b.so /a.so:/c.so") == "/a.so:/b.so:/c.so"


def test_the_rest_of_the_environment_is_left_alone() -> None:
    changed = environment(env=os.environ)
    assert {name for name in changed if changed[name] != os.environ.get(name)} == {"LD_PRELOAD"}


@pytest.mark.parametrize("text", ["classes = ", "no_such_knob = 1", "delay_line = -1"])
def test_a_wrong_strategy_file_is_status_2(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    done = command("--strategy", str(tmp_path / "s.toml"), "--", "echo", "hello")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"m4alloc run: --strategy {tmp_path / 's.toml'}: ")


def test_a_missing_strategy_file_is_status_2() -> None:
    assert "No such file" in command("--strategy", "/no/file.toml", "--", "echo").stderr


def test_a_strategy_reaches_the_library(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(m4alloc.Strategy.hardened().to_toml(), encoding="utf-8")
    done = command("--strategy", str(tmp_path / "s.toml"), "--", "printenv", "M4ALLOC_STRATEGY")
    assert done.stdout.strip() == m4alloc.Strategy.hardened().to_environment()
