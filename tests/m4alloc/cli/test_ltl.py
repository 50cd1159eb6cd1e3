"""`m4alloc ltl`: exit statuses, what is printed, what wrong usage is told."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from m4alloc.cli import main
from m4alloc.cli.ltl import COMMANDS
from tests.m4alloc.schema import faults

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = json.loads((DOCS / "json-schema" / "ltl.json").read_text(encoding="utf-8"))
SHOWN = re.findall(
    r"^\$ m4alloc ltl (.*)\n((?:[^$`].*\n)+)", (DOCS / "ltl.md").read_text(encoding="utf-8"), re.MULTILINE
)
ASKED = {
    "parse": (["G p"], 0, "ascii         []p"),
    "sat": (["p && X !p"], 0, "satisfiable, by p; cycle{1}"),
    "valid": (["p"], 1, "not valid: false of cycle{1}"),
    "equiv": (["p U q", "p W q"], 1, "not equivalent: only the right formula is true of cycle{p}"),
    "implies": (["p U q", "<>q"], 0, "implied"),
    "classify": (["[]<>p"], 0, "class               recurrence, liveness, stutter-invariant"),
    "translate": (["--hoa", "[]<>p"], 0, "HOA: v1"),
    "accepts": (["[](a -> <>b)", "a; b; cycle{a&b; c}"], 0, "true"),
    "monitor": (["!a W m", "a; m"], 1, "letter  true  state  verdict"),
}


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main.main(["ltl", *words])
    return status, *capsys.readouterr()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_answers(capsys: pytest.CaptureFixture[str], name: str) -> None:
    words, wanted, first_line = ASKED[name]
    status, out, err = command(capsys, name, *words)
    assert (status, out.splitlines()[0], err) == (wanted, first_line, "")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("first", [True, False])
def test_json_is_printed_wherever_it_is_asked_for(capsys: pytest.CaptureFixture[str], name: str, first: bool) -> None:
    words, wanted, _ = ASKED[name]
    status, out, err = command(capsys, *(["--json", name, *words] if first else [name, *words, "--json"]))
    told = json.loads(out)
    assert (status, told["command"], told["exit_status"], err) == (wanted, name, wanted, "")
    assert list(faults(told, SCHEMA)) == []


def test_words_that_the_shell_took_apart_are_one_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "sat", "p", "U", "(q", "&&", "!p)") == command(capsys, "sat", "p U (q && !p)")


def test_weak_next_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "accepts", "X p", "p")[:2] == (1, "false of the finite word, X being strong\n")
    assert command(capsys, "accepts", "--weak", "X p", "p")[:2] == (0, "true of the finite word, X being weak\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sat", ""], "m4alloc ltl: the formula is empty; `true` is the formula that holds of everything"),
        (["sat", "[](p -> <>)"], "m4alloc ltl: line 1, column 11: a formula is missing before `)`\n  [](p -> <>)\n"),
        (["equiv", "p", "q &"], "m4alloc ltl: the right formula: line 1, column 4: the formula ends where an operand"),
        (["equiv", "p", "U", "q"], "m4alloc ltl: equiv takes LEFT RIGHT, and was given 3 words: p | U | q; each"),
        (["accepts", "p"], "m4alloc ltl: accepts takes FORMULA WORD, and was given one word: p; each operand goes in"),
        (["accepts", "p", "p; cycle{}"], "m4alloc ltl: line 1, column 10: the cycle is empty; a word without one"),
        (["monitor", "p", "cycle{p}"], "m4alloc ltl: the word cycle{p} has a cycle; a monitor reads finite words"),
        (["monitor", "p", ""], "m4alloc ltl: the word is empty; it has one letter at least"),
        (["equiv", "p", ""], "m4alloc ltl: the right formula: the formula is empty"),
        (["monitor", "p", "p", "q"], "m4alloc ltl: monitor takes FORMULA [WORD], and was given 3 words"),
        (["translate", "--never", '"a b"'], 'm4alloc ltl: "a b" is no identifier of Promela; it needs an expression'),
        (["translate", "p", "--define", "p=x"], "m4alloc ltl: --define says what propositions are in Promela; it goes"),
        (["translate", "--never", "p", "--define", "p"], "m4alloc ltl: --define p: NAME=EXPRESSION is wanted"),
    ],
)
def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    status, out, err = command(capsys, *words)
    assert (status, out) == (2, "") and err.startswith(message), err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["foo"], "invalid choice: 'foo'"),
        (["sat"], "the following arguments are required: FORMULA"),
        (["accepts"], "the following arguments are required: FORMULA WORD"),
    ],
)
def test_what_argparse_refuses_shows_the_usage(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as left:
        command(capsys, *words)
    assert left.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["translate", "p", "--states", "0"], "--states: 0: a number of states, at least 1, is wanted"),
        (["classify", "p", "--states", "-1"], "--states: -1: a number of states, at least 1, is wanted"),
        (["translate", "p", "--hoa", "--dot"], "--dot: not allowed with argument --hoa"),
    ],
)
def test_a_value_that_will_not_do_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert command(capsys, *words) == (2, "", f"m4alloc ltl: {message}\n")


def test_what_is_too_large_is_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["translate", "--states", "1", "[](p -> X <>(q && X !q))"]
    status, out, err = command(capsys, *words)
    assert (status, out) == (3, "") and err.startswith("m4alloc ltl: nothing could be decided: ") and "states=1" in err
    status, out, _ = command(capsys, "--json", *words)
    told = json.loads(out)
    assert status == told["exit_status"] == 3 and "states=1" in told["undecided"]
    assert list(faults(told, SCHEMA)) == []


def test_a_formula_of_which_no_class_is_known_is_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    large = " && ".join(f"X([]<>p{i} -> []<>p{i + 1})" for i in range(17))
    status, out, err = command(capsys, "classify", large)
    assert (status, err) == (3, "") and out.count("not known within the bound") == 8


def test_a_claim_speaks_of_the_models_expressions(capsys: pytest.CaptureFixture[str]) -> None:
    define = ["--define", "malloc=event == 1", "--define", "free = event == 2"]
    status, out, _ = command(capsys, "translate", "--never", "!(!free W malloc)", *define)
    assert status == 0 and ":: ((event == 2) && !(event == 1)) -> goto accept_all" in out


@pytest.mark.parametrize(("words", "printed"), SHOWN, ids=[words for words, _ in SHOWN])
def test_the_page_shows_what_is_printed(capsys: pytest.CaptureFixture[str], words: str, printed: str) -> None:
    assert command(capsys, *shlex.split(words))[1] == printed


def test_the_page_shows_several_commands() -> None:
    assert len(SHOWN) >= 5
