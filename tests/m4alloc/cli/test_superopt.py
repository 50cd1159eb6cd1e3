"""`m4alloc superopt` on the command line: statuses, messages, files, interrupts; every public case."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from m4alloc.check.progress import Silent
from m4alloc.cli import main, superopt
from m4alloc.superopt import run
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.report import RewriteReport
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.schema import faults
from tests.m4alloc.superopt.report_cases import LOOP, MODULE, VECTORS, report

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "json-schema" / "superopt.json").read_text(encoding="utf-8"))
QUICK = ("--method", "llvm -O3", "--budget", "5", "--jobs", "1", "--no-measure")
CASES = json.loads((VECTORS / "cases.json").read_text(encoding="utf-8"))


def verb(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """The exit status of `m4alloc superopt WORDS`, and what it printed."""
    status = main.main(["superopt", *map(str, words)])
    return (status, *capsys.readouterr())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files good and bad, in which we are."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "module.ll": MODULE,
        "loop.ll": LOOP,
        "one.ll": "define i32 @f(i32 %x) { %y = add i32 %x, 0 ret i32 %y }",
        "same.ll": "define i32 @g(i32 %x) { ret i32 %x }",
        "more.ll": "define i32 @g(i32 %x) { %y = add nsw i32 %x, 1 %z = sub i32 %y, 1 ret i32 %z }",
        "wide.ll": "define i64 @g(i32 %x) { %y = zext i32 %x to i64 ret i64 %y }",
        "old.ll": "define i32 @f(i32* %x) { %y = load i32* %x ret i32 %y }",
        "typed.ll": "define i32 @f(i32* %p) { %y = load i32, i32* %p %z = add i32 %y, 0 ret i32 %z }",
        "newer.ll": "define i32 @f(i32 %x) { %y = newop i32 %x ret i32 %y }",
        "empty.ll": "",
        "declared.ll": "declare i32 @f(i32)",
        "float.ll": "define float @f(float %x) { %y = fadd float %x, 1.0 ret float %y }",
        "volatile.ll": "define i32 @f(ptr %p) { %y = load volatile i32, ptr %p ret i32 %y }",
        "wrong.c": "int f(int x) { return x +; }",
        "code.c": "static int helper(int x, int y) { return x + y - x; }\nint f(int x) { return helper(x, 2); }",
        "text": "",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes.ll").write_bytes(b"\xff\xfe")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no file is named; one of .ll, .c or .pyx is wanted, as in: m4alloc superopt f.ll"),
        (["none.ll"], "none.ll: there is no such file"),
        (["text"], "text: a file of .ll"),
        (["bytes.ll"], "bytes.ll: no text, byte 0 is 0xff"),
        (["empty.ll"], "empty.ll: there is no function to search"),
        (["declared.ll"], "declared.ll: there is no function to search"),
        (["old.ll"], "old.ll:1:"),
        (["newer.ll"], "newer.ll:1:"),
        (["module.ll", "--function", "som"], "module.ll defines no function 'som'; did you mean sum?"),
        (["one.ll", "--method", "magic"], "no method 'magic'; there are seeds, llvm -O3, rules, enumeration, "),
        (["one.ll", "--budget", "0"], "a budget of 0 s: a time above 0 is wanted"),
        (["one.ll", "--budget", "nan"], "--budget: 'nan' is no time; 60, 60s, 1.5m, 2h and 250ms are"),
        (["one.ll", "--jobs", "-1"], "-1 processes: one at least is wanted"),
        (["one.ll", "--assume", "y < 3"], "fact 'y < 3', column 1: 'y' is no argument; the arguments are: x"),
        (["one.ll", "--assume", "x <"], "fact 'x <'"),
        (["one.ll", "--assume", "x < 3", "--assume", "x > 5"], "nothing satisfies 'x < 3' and 'x > 5' for @f"),
        (["module.ll", "--assume", "size < 3"], "--assume 'size < 3': no function has all these arguments; there are"),
        (["one.ll", "--resume"], "--resume goes on with what a folder holds: name it with -o DIR"),
        (["one.ll", "-o", "text"], "text: File exists"),
        (["one.ll", "-o", "/proc/none"], "/proc/none: No such file or directory"),
        (["one.ll", "--weights", "w.npz"], "weights are for the method policy"),
        (["one.ll", "--method", "policy", "--weights", "w.npz"], "w.npz: No such file or directory"),
        (["one.ll", "--method", "policy", "--weights", "text"], "text: no weights of this agent"),
        (["module.ll", "--scheduler", "x", *QUICK], "'x' is no address of a scheduler"),
        (["--verify", "one.ll", "wide.ll"], "@f returns i32, @g returns i64"),
        (["--verify", "one.ll", "module.ll"], "module.ll defines 4 functions; name one with --function: calls, least"),
        (["--verify", "one.ll", "same.ll", "--unroll", "-1"], "--unroll -1: a loop is followed no less than 0 times"),
        (["--rules", "magic"], "there is no kind 'magic' of rules; there are bits, branch"),
    ],
)
def test_wrong_input_is_told(capsys: pytest.CaptureFixture[str], here: Path, words: list[object], message: str) -> None:
    status, out, err = verb(capsys, *words)
    assert (status, out) == (2, "") and err.startswith(f"m4alloc superopt: {message}"), err


@pytest.mark.parametrize("words", [["--target", "z80"], ["--objective", "beauty"], ["--budget", "soon"]])
def test_an_option_that_cannot_be_lists_those_that_can(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main.main(["superopt", "f.ll", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"m4alloc superopt: {words[0]}: ") and words[1] in err and err.count("\n") == 1


def test_c_needs_a_clang_and_an_error_in_it_is_shown(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import ziglang  # noqa: F401
    except ModuleNotFoundError:
        monkeypatch.setenv("PATH", "")
        status, _, err = verb(capsys, "code.c")
        assert status == 2 and "C is read through clang, and none was found: apt install clang" in err
        monkeypatch.undo()
        monkeypatch.chdir(here)
    status, _, err = verb(capsys, "wrong.c")
    assert status == 2 and ("wrong.c:1:26: error: expected expression" in err or "none was found" in err)


@pytest.mark.parametrize("name", ["float.ll", "volatile.ll"])
def test_where_nothing_can_be_searched_the_status_is_3_and_the_reason_is_told(
    capsys: pytest.CaptureFixture[str], here: Path, name: str
) -> None:
    status, out, _ = verb(capsys, name, *QUICK)
    assert status == 3 and "not searched: no piece of it can be searched" in out


def test_one_function_is_rewritten_and_the_files_are_whole(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    status, out, err = verb(capsys, "one.ll", *QUICK, "-o", "out")
    assert status == 0 and "1 -> 0 IR instructions" in out and "PROVED by SMT" in out
    assert "m4alloc superopt: @f, whole function: 0 instructions by llvm -O3" in err
    assert parse_module(Path("out/after.ll").read_text()).function("f").size == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "after.ll",
        "before.ll",
        "report.html",
        "report.json",
    ]


def test_json_is_alone_on_stdout_and_obeys_the_schema(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    for words, mode in (
        (["one.ll", *QUICK], "rewrite"),
        (["--verify", "one.ll", "same.ll"], "verify"),
        (["--rules", "cast"], "rules"),
    ):
        status, out, _ = verb(capsys, "--json", *words)
        told = json.loads(out)
        assert status == 0 and told["mode"] == mode
        assert list(faults(told, SCHEMA["$defs"][mode], SCHEMA)) == [] == list(faults(told, SCHEMA))


def test_a_module_is_a_campaign_that_goes_on_where_it_was(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    status, out, err = verb(capsys, "module.ll", *QUICK, "-o", "out")
    assert status == 0 and out.startswith("module.ll: 4 functions, 2 made cheaper")
    assert "m4alloc superopt: @sum: 3 -> 1, by llvm -O3" in err
    assert Path("out/state.jsonl").exists()
    again = verb(capsys, "module.ll", *QUICK, "-o", "out", "--resume")
    assert again[0] == 0 and "@sum" not in again[2] and again[1].splitlines()[:5] == out.splitlines()[:5]


def test_verify_says_whether_with_the_input_and_why_not(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert verb(capsys, "--verify", "one.ll", "same.ll")[0] == 0
    status, out, _ = verb(capsys, "--verify", "same.ll", "more.ll")
    assert status == 1 and "REFUTED" in out and "input      x = 2147483647" in out
    assert verb(capsys, "--verify", "same.ll", "more.ll", "--assume", "x < 100")[0] == 0
    status, out, _ = verb(capsys, "--verify", "float.ll", "float.ll")
    assert status == 0
    Path("other.ll").write_text(
        "define i32 @f(ptr %p) { %y = load volatile i32, ptr %p %z = add i32 %y, 0 ret i32 %z }"
    )
    status, out, _ = verb(capsys, "--verify", "volatile.ll", "other.ll")
    assert status == 3 and "NOT DECIDED" in out and "because    " in out


def test_a_loop_is_proved_by_induction_without_being_told_a_bound(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    Path("count.ll").write_text(
        "declare i64 @llvm.ctpop.i64(i64)\ndefine i32 @bits(i64 noundef %x) {\n"
        "  %c = call i64 @llvm.ctpop.i64(i64 %x)\n  %t = trunc i64 %c to i32\n  ret i32 %t\n}\n"
    )
    status, out, _ = verb(capsys, "--verify", "loop.ll", "count.ll", "--budget", "60")
    assert status == 0 and "PROVED by induction" in out


def test_rules_are_listed_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = verb(capsys, "--rules", "strength")
    assert status == 0 and all("strength" in row for row in out.splitlines()[::2]) and "proved at" in out


def test_every_option_reaches_its_setting(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def made(path: str, **settings: Any) -> RewriteReport:
        seen.update(settings, path=path)
        return report()

    monkeypatch.setattr(run, "superopt", made)
    given = {
        "function": "f", "target": "aarch64", "objective": "latency", "weights": "w", "seed": 7, "jobs": 3,
        "scheduler": "tcp://h:1",
    }  # fmt: skip
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    lists = ["--assume", "x < 3", "--assume", "y < 4", "--method", "mcts", "--method", "policy", "--clang=-Ia"]
    flags = ["--shared", "--thorough", "--no-measure", "--resume", "--budget", "2m", "-o", "out"]
    assert verb(capsys, *words, *lists, *flags, "one.ll")[0] == 0
    assert {name: seen[name] for name in given} == given
    assert (seen["assume"], seen["methods"], seen["clang"]) == (["x < 3", "y < 4"], ["mcts", "policy"], ["-Ia"])
    assert (seen["shared"], seen["thorough"], seen["measure"], seen["resume"]) == (True, True, False, True)
    assert (seen["budget"], seen["path"], seen["state"]) == (120.0, "one.ll", Path("out/state.jsonl"))


def test_an_interrupted_campaign_says_how_it_goes_on(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(run, "superopt", lambda *_, **__: replace(report(), interrupted=True, wanted=9))
    status, out, _ = verb(capsys, "module.ll", "-o", "out dir", "--budget", "2m", "--assume", "x < 3", "--shared")
    line = next(row for row in out.splitlines() if row.startswith("interrupted: "))
    again = shlex.split(line.partition("it goes on with: ")[2])
    assert status == 130 and again[:3] == ["m4alloc", "superopt", "--resume"]
    arguments = main.parse(again[1:])
    assert (arguments.file, arguments.output, arguments.budget) == ("module.ll", "out dir", 120.0)
    assert (arguments.assume, arguments.shared, arguments.resume) == (["x < 3"], True, True)
    assert shlex.split(superopt.resume_line(arguments)) == again


def test_a_missing_package_is_named_with_what_installs_it(here: Path) -> None:
    code = (
        "import sys\nsys.modules['z3'] = None\nfrom m4alloc.cli import main\n"
        "sys.exit(main.main(['superopt', 'one.ll']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2 and "pip install 'm4alloc[superopt]'" in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 1.5, 4.0])
def test_ctrl_c_at_any_moment_ends_with_130_and_leaves_nothing_half_written(here: Path, after: float) -> None:
    words = ["superopt", str(VECTORS / "hd18_pow2.src.ll"), "--budget", "60", "--thorough", "-o", "out"]
    command = [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    ) as process:
        time.sleep(after)
        interrupt(process)
        out, err = process.communicate()
    if after == 0.0 and process.returncode != 130:  # before main() was there
        assert "KeyboardInterrupt" in err or err == "m4alloc superopt: interrupted\n"
        return
    assert process.returncode == 130, (out, err)
    left = sorted(path.name for path in (here / "out").iterdir()) if (here / "out").exists() else []
    assert not [name for name in left if name.startswith(".")]
    if "interrupted: what is above is the best so far" in out:
        told = json.loads((here / "out" / "report.json").read_text())
        assert told["interrupted"] and list(faults(told, SCHEMA)) == []


@pytest.mark.campaign
@pytest.mark.parametrize("row", CASES["superopt"], ids=lambda row: row["id"])
def test_the_fewest_known_are_reached_by_the_default_budget(
    capsys: pytest.CaptureFixture[str], row: dict[str, Any]
) -> None:
    status, out, _ = verb(capsys, VECTORS / row["src"], "--no-measure", "--json")
    (one,) = json.loads(out)["functions"]
    assert status == 0 and one["after"]["cost"]["ir"] <= row["best_known_ir"]
    assert not one["improved"] or one["proof"] == "whole"


@pytest.mark.parametrize("row", CASES["pairs"], ids=lambda row: row["id"])
def test_every_public_pair_is_judged_as_expected(capsys: pytest.CaptureFixture[str], row: dict[str, Any]) -> None:
    status, out, _ = verb(capsys, "--verify", VECTORS / row["a"], VECTORS / row["b"])
    assert (status == 0) == (row["expected"] == "accept") and status in (0, 1, 3), out
    assert re.search(r"^proof +(PROVED|REFUTED|NOT DECIDED)", out, re.MULTILINE) or "UNDEFINED" in out


def test_progress_goes_to_stderr_only(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Noted(Silent):
        def phase(self, name: str, total: int | None = None) -> None:
            told.append(name)

    run.superopt("one.ll", methods=("llvm -O3",), budget=5.0, jobs=1, measure=False, progress=Noted())
    assert told == ["@f, idioms", "@f, whole function: llvm -O3"]


def test_pointers_with_types_are_read_and_that_is_said(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    note = "note       typed.ll: pointers with types, as i32*, are of an LLVM before 15; they were read as ptr"
    assert note in verb(capsys, "typed.ll", *QUICK)[1]
    assert note in verb(capsys, "--verify", "typed.ll", "typed.ll")[1]
    told = json.loads(verb(capsys, "typed.ll", *QUICK, "--json")[1])
    assert told["notes"] == [note.removeprefix("note       ")] and list(faults(told, SCHEMA)) == []


def test_what_llvm_refuses_is_told_in_one_line(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    for name in ("old.ll", "newer.ll"):
        assert verb(capsys, name)[2].count("\n") == 1


def test_a_method_without_its_package_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "egglog.bindings", None)
    status, _, err = verb(capsys, "one.ll", "--method", "egglog")
    assert (status, err) == (
        2, "m4alloc superopt: equality saturation needs egglog: pip install 'm4alloc[saturate]'\n",
    )  # fmt: skip


def test_verify_assumes_only_what_the_proof_needs(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert "assuming" not in verb(capsys, "--verify", "one.ll", "same.ll", "--assume", "x < 9")[1]
    assert "assuming   x < 9 (given)" in verb(capsys, "--verify", "same.ll", "more.ll", "--assume", "x < 9")[1]
