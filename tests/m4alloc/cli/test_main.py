"""The command line: exit statuses, where output goes, and what wrong usage is told."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import m4alloc
from m4alloc.cli import Exit, UsageError, main
from tests.m4alloc.interrupting import INTERRUPTIBLE

ROOT = Path(__file__).resolve().parents[3]


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


INTERRUPTED_IN_EXEC = """
import os, signal, sys
from types import SimpleNamespace
from m4alloc.cli import main
here = os.getpid()
def run(arguments):
    {answer}
    exec("os.kill(here, signal.SIGINT)", globals())
verb = SimpleNamespace(add_parser=lambda subparsers: subparsers.add_parser("lib"), run=run)
main.load = lambda name: verb
sys.argv = ["m4alloc", "lib"]
sys.exit(main.main())
"""


def child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Python with a module of its own, interruptible whoever started the tests."""
    (folder / "begun.py").write_text(code)
    words = [*INTERRUPTIBLE, sys.executable, "-m", "begun"]
    return subprocess.run(
        words, capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def test_an_interrupt_in_exec_of_text_ends_with_130_and_not_by_the_signal(tmp_path: Path) -> None:
    done = child(INTERRUPTED_IN_EXEC.format(answer="pass"), tmp_path)
    assert (done.returncode, done.stderr) == (130, "m4alloc lib: interrupted\n")


def test_what_is_interrupted_and_says_so_in_its_own_words_ends_with_130(tmp_path: Path) -> None:
    answer = "try: os.kill(here, signal.SIGINT)\n    except BaseException: raise ImportError('numpy') from None"
    done = child(INTERRUPTED_IN_EXEC.format(answer=answer), tmp_path)
    assert (done.returncode, done.stderr) == (130, "m4alloc lib: interrupted\n")


def test_an_interrupt_while_the_package_is_imported_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'm4alloc': os.kill(os.getpid(), signal.SIGINT)\n"
        "import _m4alloc_command\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(_m4alloc_command.main())\n"
    )
    done = child(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "m4alloc: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "m4alloc", "doctor"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "No space left on device" in done.stderr and done.stderr.count("\n") == 1


def test_where_the_terminal_is_not_utf_8_nothing_breaks(tmp_path: Path) -> None:
    name = "h\u00e4p.heap"
    (tmp_path / name).write_text("a = malloc 8\nfree a\n")
    settings = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"}
    environment = {**os.environ, **settings}
    words = [sys.executable, "-m", "m4alloc", "view", name, "--text"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0 and b"\\" in done.stdout and not done.stderr, done.stderr


def test_help_of_a_verb_is_help_and_a_misspelt_one_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["help", "lib"], ["lib", "--help"]):
        with pytest.raises(SystemExit) as left:
            main.parse(words)
        assert left.value.code == 0
        assert capsys.readouterr().out.startswith("Print the path of the preload library")
    for verb in ("cc", "c++"):
        with pytest.raises(SystemExit) as left:
            main.parse(["help", verb])
        told = capsys.readouterr().out
        assert left.value.code == 0 and told.startswith("Compile C") and "--hooks=" in told and "docs/cc.md" in told
    with pytest.raises(SystemExit) as left:
        main.parse(["help", "libb"])
    assert left.value.code == 2 and "did you mean lib?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--sed", "3", "--", "ls"], "unrecognized arguments: --sed; did you mean --seed?"),
        (["check", "--prom", "RULE"], "unrecognized arguments: --prom"),
        (["new"], "the following arguments are required: NAME; as in: m4alloc new pool"),
        (["record", "--", "ls"], "the following arguments are required: -o/--output; as in: m4alloc record -o trace"),
        (["vectors"], "the following arguments are required: FILE; as in: m4alloc vectors "),
        (["ltl"], "the following arguments are required: COMMAND; as in: m4alloc ltl "),
        (["ltl", "sta", "p"], "invalid choice: 'sta' (choose from parse, sat, "),
        (["ltl", "classify", "--state", "5", "p"], "unrecognized arguments: --state; did you mean --states?"),
    ],
)
def test_what_is_missing_or_misspelt_is_told_with_what_would_be_right(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main.parse(words)
    assert left.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "--budget", "5y"], "--budget: '5y' is no time; 60, 60s, 1.5m, 2h and 250ms are"),
        (["check", "--timeout", "1e99"], "--timeout: '1e99' is too long; 1e+09 seconds, 31 years, at most"),
        (["attack", "system", "--timeout", "0"], "a timeout of 0 seconds: it must be more than 0"),
        (["record", "-o", "x", "--limit", "64K", "--", "ls"], "--limit: '64K' is no number of bytes; 64k is 64,000"),
        (["tune", "--calls", "1.5", "x"], "--calls: '1.5' is no whole number"),
        (
            ["monitor", "--leaks", "al", "--", "ls"],
            "--leaks: invalid choice: 'al' (choose from unreachable, all, no); did",
        ),
        (["verify", "--rounds"], "--rounds: expected one argument"),
        (["replay", "--rounds", "-3", "x"], "rounds is -3; at least one replay is needed"),
        (["new", "pool", "-o", "-"], "-o/--output: it has to go somewhere"),
        (["record", "-o", "-", "--", "ls"], "-o/--output: it has to go somewhere"),
        (["lib", "--strategy", "default", "-o", "-"], "-o/--output: it has to go somewhere"),
        (["tune", "-o", "-", "--", "ls"], "-o/--output: it has to go somewhere"),
    ],
)
def test_a_value_that_will_not_do_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"m4alloc {words[0]}: {said}") and err.count("\n") == 1


def test_help_fits_a_narrow_terminal() -> None:
    environment = {**os.environ, "COLUMNS": "60"}
    words = [sys.executable, "-m", "m4alloc", "help", "check"]
    told = subprocess.run(words, env=environment, capture_output=True, text=True).stdout
    # Command lines are not broken: they are there to be copied.
    assert [line for line in told.splitlines() if len(line) > 60 and "m4alloc check" not in line] == []


def test_output_for_a_closed_pipe_that_fits_a_buffer_ends_quietly() -> None:
    shown = subprocess.run(
        f"{sys.executable} -m m4alloc doctor --json | head -c 1", shell=True, capture_output=True, text=True
    )
    assert (shown.stdout, shown.stderr) == ("{", "")


def test_names_with_spaces_and_dashes_are_names(tmp_path: Path) -> None:
    (tmp_path / "-a b.heap").write_text("a = malloc 8\nfree a\n")
    done = command("view", "-o", "a page.html", "--", "-a b.heap", directory=tmp_path)
    assert done.returncode == 0 and (tmp_path / "a page.html").exists(), done.stderr
    done = command("convert", "--", "-a b.heap", "-c d.csv", directory=tmp_path)
    assert done.returncode == 0 and (tmp_path / "-c d.csv").exists(), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_its_shell_can_read(shell: str) -> None:
    script = command("--completion", shell).stdout
    assert all(f"{verb}" in script for verb in main.verbs()) and "symbol-prefix" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("m4alloc che", ["check"]),
        ("m4alloc verify --st", ["--standard"]),
        ("m4alloc monitor --leaks ", ["unreachable", "all", "no"]),
        ("m4alloc ltl cl", ["classify"]),
        ("m4alloc view tr", []),
        ("m4alloc help lt", ["ltl"]),
        ("m4alloc run -- l", []),
    ],
)
def test_bash_completes_verbs_options_and_choices(line: str, offered: list[str]) -> None:
    words = line.split(" ")
    code = (
        f"{command('--completion', 'bash').stdout}\nCOMP_WORDS=({shlex.join(words[:-1])} '{words[-1]}')\n"
        f"COMP_CWORD={len(words) - 1}\n_m4alloc\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == offered, done.stderr


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
