"""Capability code through the verb: a machine is named, what is wrong on it is refused, nothing reaches LLVM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.cli import main
from m4alloc.superopt import report_cheri
from m4alloc.superopt.run_cheri import CapabilityError, is_capability_code, isa_of, rules, superopt_cheri, verify_cheri
from tests.m4alloc.schema import faults

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "superopt.json").read_text())
SET = "call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200)"
TWICE = f"""define ptr addrspace(200) @bounded(ptr addrspace(200) noundef %c) {{
  %d = {SET} %c, i64 64)
  %e = {SET} %d, i64 64)
  ret ptr addrspace(200) %e
}}
"""
ONCE = f"""define ptr addrspace(200) @bounded(ptr addrspace(200) noundef %c) {{
  %d = {SET} %c, i64 64)
  ret ptr addrspace(200) %d
}}
"""
NOTHING = ONCE.replace(f"  %d = {SET} %c, i64 64)\n", "").replace("%d", "%c")
LOOP = """define ptr addrspace(200) @looping(ptr addrspace(200) noundef %c) {
entry:
  br label %again
again:
  br label %again
}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with capability code, in which we are."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "twice.ll": TWICE, "once.ll": ONCE, "nothing.ll": NOTHING, "both.ll": TWICE + LOOP, "loop.ll": LOOP,
        "plain.ll": "define i32 @f(i32 %x) { ret i32 %x }",
        "wide.ll": ONCE.replace("%c)", "%c, i64 noundef %n)", 1),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_bounded_twice_is_bounded_once_and_the_refusals_are_told(here: Path) -> None:
    report = superopt_cheri("both.ll", isa="morello", budget=20.0)
    (one,) = report.functions
    assert (one.source.cost, one.result.cost, one.proof.accepted) == (2, 1, True)
    assert list(report.skipped) == ["looping"] and report.exit_status == 0
    told = "\n".join(report_cheri.lines(report, 120))
    assert "on Morello: a refused manipulation clears the tag; executed by our model" in told
    assert "scbnds" in told and "refused    " in told and "vulnerability" in told
    assert list(faults(json.loads(json.dumps(report.to_json())), SCHEMA["$defs"]["capability"], SCHEMA)) == []
    page = report_cheri.page(report)
    assert "scbnds" in page and "refused" in page and "<h2>Skipped</h2>" in page


def test_to_drop_the_bounds_is_refuted_with_an_input_and_what_it_would_do(here: Path) -> None:
    report = verify_cheri("once.ll", "nothing.ll", isa="cheri-riscv")
    assert report.exit_status == 1 and "vulnerability" in report.verdict.reason
    assert verify_cheri("twice.ll", "once.ll", isa="cheri-riscv-trapping").exit_status == 0


def test_arguments_are_matched_by_place(here: Path) -> None:
    Path("named.ll").write_text(ONCE.replace("%c", "%other"))
    assert verify_cheri("twice.ll", "named.ll", isa="morello").exit_status == 0
    Path("mixed.ll").write_text(ONCE.replace("%c", "%other").replace("%d", "%c"))
    assert verify_cheri("twice.ll", "mixed.ll", isa="morello").exit_status == 0
    Path("wider.ll").write_text(ONCE.replace("%c", "%other").replace("%d", "%c").replace("64)", "128)"))
    assert verify_cheri("twice.ll", "wider.ll", isa="morello").exit_status == 1


def test_an_argument_that_may_be_undef_and_is_used_twice_is_not_decided(here: Path) -> None:
    text = TWICE.replace("noundef ", "").replace(f"{SET} %d", f"{SET} %c")
    Path("undef.ll").write_text(text.replace("%c, i64 64)\n  ret", "%c, i64 32)\n  ret"))
    Path("loose.ll").write_text(ONCE.replace("noundef ", ""))
    report = verify_cheri("loose.ll", "undef.ll", isa="morello")
    assert report.exit_status == 3 and "may be undef" in report.verdict.reason
    assert verify_cheri("once.ll", "undef.ll", isa="morello").exit_status == 1  # it is not undef for the first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["twice.ll"], "capability code means one thing on each machine; name one with --isa: morello, cheri-riscv"),
        (["--isa", "vax", "twice.ll"], "there is no instruction set 'vax'; name one with --isa: morello, cheri-riscv"),
        (["--isa", "morello", "plain.ll"], "--isa is for capability code, and plain.ll has neither"),
        (["--isa", "morello", "--assume", "tag(", "twice.ll"], "tag("),
        (["--isa", "morello", "--function", "other", "twice.ll"], "twice.ll defines no function 'other'"),
        (["--isa", "morello", "--verify", "twice.ll", "wide.ll"], "@bounded takes (cap), @bounded (cap, int)"),
        (["--isa", "morello", "--verify", "twice.ll", "both.ll"], "both.ll defines 2 functions; name one"),
    ],
)
def test_wrong_input_is_told(capsys: pytest.CaptureFixture[str], here: Path, words: list[str], message: str) -> None:
    status = main.main(["superopt", *words])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "") and err.startswith(f"m4alloc superopt: {message}"), err


def test_where_no_function_can_be_read_the_status_is_3(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main.main(["superopt", "--isa", "morello", "loop.ll"]) == 3
    assert "skipped    @looping: " in capsys.readouterr().out


def test_the_files_of_capability_code_are_written(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main.main(["superopt", "--isa", "cheri-riscv", "twice.ll", "-o", "out", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mode"] == "capability" and told["functions"][0]["after"]["operators"] == 1
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "after.ll",
        "before.ll",
        "report.html",
        "report.json",
    ]
    assert verify_cheri("out/before.ll", "out/after.ll", isa="cheri-riscv").exit_status == 0


def test_an_interrupt_keeps_the_best_so_far(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from m4alloc.superopt import run_cheri

    real = run_cheri.rewritten

    def interrupted(*arguments, **settings):  # type: ignore[no-untyped-def]
        found = real(*arguments, **settings)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return found
        pytest.fail("it was not told")

    monkeypatch.setattr(run_cheri, "rewritten", interrupted)
    report = superopt_cheri("twice.ll", isa="morello", budget=20.0)
    assert report.exit_status == 130 and report.functions[0].result.cost == 1


def test_the_rules_are_listed_and_proved_where_a_machine_is_named() -> None:
    rows = {row.name: row for row in rules()}
    assert rows["S1"].sound and not rows["U1"].sound and rows["S1"].state == ""
    first = next(rules("morello", budget=10.0))
    assert first.name == "S1" and first.state.startswith("proved at full width: ")


@pytest.mark.campaign
@pytest.mark.parametrize("isa", ["morello", "cheri-riscv-trapping"])
def test_no_sound_rule_is_refuted_and_what_traps_is_blamed_where_it_traps(isa: str) -> None:
    rows = list(rules(isa, budget=120.0))
    assert [row for row in rows if row.sound and not row.state.startswith(("proved", "checked", "not used"))] == []
    blamed = {row.name: row.state.startswith("refuted") for row in rows if row.name[:3] in ("U22", "U24", "U25")}
    assert set(blamed.values()) == {isa == "cheri-riscv-trapping"}, blamed


def test_capability_code_is_known_by_its_text(here: Path) -> None:
    assert is_capability_code("twice.ll") and not is_capability_code("plain.ll") and not is_capability_code("none.ll")
    with pytest.raises(CapabilityError):
        isa_of("")
