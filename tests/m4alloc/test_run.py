"""m4alloc run: the program runs on the core, as itself, and its status is ours."""

from __future__ import annotations

import json
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


def test_the_statistics_of_the_program_come_after_its_output() -> None:
    done = command("--stats", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    lines = done.stderr.splitlines()
    assert lines[0] == "err"
    assert lines[1].startswith("m4alloc run: /") and " mallocs, " in lines[1]
    assert lines[3].split() == ["size", "slabs", "peak", "slots", "live", "cached", "free", "mallocs", "frees",
                                "remote", "frees"]  # fmt: skip


def test_json_is_alone_on_stdout_and_output_leaves_both_alone(tmp_path: Path) -> None:
    done = command("--json", "--", "echo", "hello")
    assert done.stderr == "hello\n"
    report = json.loads(done.stdout)
    assert (report["program"], report["status"]) == (["echo", "hello"], 0)
    assert [process["pid"] for process in report["processes"]] == [report["pid"]]
    done = command("-o", str(tmp_path / "run.json"), "echo", "hello")
    assert (done.stdout, done.stderr) == ("hello\n", "")
    assert json.loads((tmp_path / "run.json").read_text())["program"] == ["echo", "hello"]


def test_the_report_has_every_process_and_what_it_exec_ed() -> None:
    report = m4alloc.run(["sh", "-c", "/bin/echo; env env; :"], stats=True, stdout=subprocess.DEVNULL)
    images = [Path(process.image).name for process in report.processes]
    assert len(images) == 3 and images[:2] == ["echo", "env"]
    assert report.main is report.processes[-1] and report.main.pid == report.pid
    assert all(process.mallocs - process.frees == process.live_blocks > 0 for process in report.processes)


def test_a_program_that_a_signal_kills_leaves_no_statistics_and_we_say_so() -> None:
    done = command("--stats", "--", "sh", "-c", "kill -KILL $$")
    assert done.returncode == 128 + signal.SIGKILL
    assert done.stderr.startswith("m4alloc run: sh left no statistics of its own: a signal ended it")


def test_a_signal_that_we_get_reaches_the_program() -> None:
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    words = [sys.executable, "-m", "m4alloc", "run", "--stats", "--", "sh", "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


def test_our_own_signal_handlers_are_as_before() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    m4alloc.run(["true"], stats=True)
    assert {number: signal.getsignal(number) for number in before} == before


def test_other_options_of_the_library_are_kept() -> None:
    env = {**os.environ, "M4ALLOC_OPTIONS": "misuse=count"}
    words = ["sh", "-c", 'test "${M4ALLOC_OPTIONS#misuse=count,stats=/}" != "$M4ALLOC_OPTIONS"']
    assert m4alloc.run(words, env=env, stats=True).status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "/no/such/folder/x", "--", "echo"), "m4alloc run: --output /no/such/folder/x cannot be written\n"),
        (("-o", "/", "--", "echo"), "m4alloc run: --output / cannot be written\n"),
        (("--stats",), "m4alloc run: no program given"),
        (("--stats", "--", "/dev/null"), "m4alloc run: /dev/null is not executable"),
    ],
)
def test_statistics_that_cannot_be_had_are_status_2(words: tuple[str, ...], said: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said), done.stderr
