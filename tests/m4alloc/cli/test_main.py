"""The command line: exit statuses, where output goes, and what wrong usage is told."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import m4alloc
from m4alloc.cli import Exit, UsageError, main


def command(*words: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "m4alloc", *words], cwd=directory, capture_output=True, text=True)


def raising(error: BaseException) -> SimpleNamespace:
    """A verb that raises."""

    def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        subparsers.add_parser("lib")

    def run(arguments: argparse.Namespace) -> int:
        raise error

    return SimpleNamespace(add_parser=add_parser, run=run)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UsageError("no such file: x"), 2, "m4alloc lib: no such file: x\n"),
        (KeyboardInterrupt(), 130, "m4alloc lib: interrupted\n"),
        (KeyError("x"), 4, "m4alloc lib: internal error: KeyError: 'x'\n"),
    ],
)
def test_each_kind_of_error_has_its_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    message: str,
) -> None:
    monkeypatch.setattr(main, "load", lambda verb: raising(error))
    assert main.main(["lib"]) == status
    out, err = capsys.readouterr()
    assert (out, err[: len(message)]) == ("", message)
    assert "Traceback" not in err


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "load", lambda verb: raising(KeyError("x")))
    assert main.main(["--debug", "lib"]) == Exit.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_every_verb_and_the_exit_statuses() -> None:
    shown = command("--help")
    assert shown.returncode == 0
    assert [verb for verb in main.verbs() if f"\n    {verb} " not in shown.stdout] == []
    assert "130 interrupted" in shown.stdout


@pytest.mark.parametrize("verb", sorted(set(main.verbs()) - {"cc", "c++"}))  # whose options are the compiler's
def test_every_verb_has_help_and_refuses_an_unknown_option(verb: str) -> None:
    assert command(verb, "--help").returncode == 0
    wrong = command(verb, "--no-such-option", "--", "ls")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith(f"usage: m4alloc {verb}")


@pytest.mark.parametrize("words", [(), ("no-such-verb",), ("--no-such-option",)])
def test_wrong_usage_of_the_command_is_status_2(words: tuple[str, ...]) -> None:
    assert command(*words).returncode == 2


def test_a_verb_that_is_nearly_one_is_guessed_and_none_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in [(["chek"], "there is no verb 'chek'; did you mean check?"), ([], "exit status: 0 holds")]:
        with pytest.raises(SystemExit) as left:
            main.parse(words)
        assert left.value.code == 2
        assert said in capsys.readouterr().err


def test_a_missing_extra_is_named_with_what_installs_it() -> None:
    assert main.missing_package(ModuleNotFoundError("x", name="pyarrow.lib")) == (
        "it needs pyarrow: pip install 'm4alloc[arrow]'"
    )
    assert main.missing_package(ValueError("x")) == ""


def test_version_names_the_backend() -> None:
    assert command("--version").stdout == f"m4alloc {m4alloc.__version__} ({m4alloc.backend})\n"


def test_a_closed_pipe_ends_quietly() -> None:
    shown = subprocess.run(f"{sys.executable} -m m4alloc doctor | true", shell=True, capture_output=True, text=True)
    assert shown.stderr == ""


@pytest.mark.parametrize("verb", sorted({"run", "record", "verify"} & set(main.verbs())))
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "no program given"),
        (("no-such-program",), "no program called 'no-such-program' on PATH"),
        (("/",), "/ is a directory, not a program"),
    ],
)
def test_a_program_that_cannot_run_is_status_2_with_one_line(
    tmp_path: Path, verb: str, argv: tuple[str, ...], message: str
) -> None:
    options = ("-o", str(tmp_path / "trace")) if verb == "record" else ()
    done = command(verb, *options, "--", *argv, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"m4alloc {verb}: {message}"), done.stderr
    assert done.stderr.count("\n") == 1
