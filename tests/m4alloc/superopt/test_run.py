"""The verb as a function: what it is given is checked first, and every fact that is used is listed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import m4alloc
from m4alloc.superopt.equivalence import SignatureError
from m4alloc.superopt.fact_terms import FactError
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.pipeline import MethodError
from m4alloc.superopt.report import RewriteReport
from m4alloc.superopt.run import SuperoptError, superopt, verify
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.superopt.report_cases import LOOP, MODULE, VECTORS

ROOT = Path(__file__).resolve().parents[3]
REST = "define i32 @f(i32 noundef %x, i32 noundef %y) { %r = urem i32 %x, 1000 ret i32 %r }"


def quick(path: Path, **settings: object) -> RewriteReport:
    given: dict[str, object] = {"methods": ("llvm -O3",), "budget": 5.0, "jobs": 1, "measure": False, **settings}
    return superopt(path, **given)  # type: ignore[arg-type]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file with four functions."""
    (tmp_path / "module.ll").write_text(MODULE)
    return tmp_path / "module.ll"


def test_the_verb_is_a_function_of_the_package() -> None:
    assert m4alloc.superopt is superopt or callable(m4alloc.superopt)


def test_one_function_of_a_module_is_chosen_by_its_name(module: Path) -> None:
    report = quick(module, function="sum")
    assert [one.before.name for one in report.functions] == ["sum"] and report.wanted == 1
    assert report.skipped == {} and report.module is not None


def test_facts_go_to_the_functions_whose_arguments_they_name(tmp_path: Path) -> None:
    path = tmp_path / "two.ll"
    path.write_text(f"{REST}\ndefine i32 @g(i32 noundef %z) {{ %r = urem i32 %z, 1000 ret i32 %r }}")
    report = quick(path, assume=["x < 1000"], methods=("enumeration",))
    first, second = report.functions
    assert [str(fact) for fact in first.assumptions] == ["x < 1000 (given)"] and first.cost_after.ir == 0
    assert second.assumptions == () and not second.is_improved


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"assume": ["q < 3"]}, SuperoptError, "no function has all these arguments; there are: x, y, p"),
        ({"assume": ["q < 3"], "function": "sum"}, FactError, "'q' is no argument; the arguments are: x, y"),
        ({"assume": ["x <"]}, FactError, "not an expression"),
        ({"assume": ["x < 3", "x > 3"]}, SuperoptError, "nothing satisfies 'x < 3' and 'x > 3' for @sum"),
        ({"target": "z80"}, SuperoptError, "no target 'z80'; there are x86-64, x86-64-v3, aarch64, riscv64"),
        ({"objective": "beauty"}, SuperoptError, "no objective 'beauty'; there are ir, instructions, latency"),
        ({"methods": ["magic"]}, MethodError, "no method 'magic'"),
        ({"budget": 0.0}, SuperoptError, "a budget of 0 s"),
        ({"budget": float("inf")}, SuperoptError, "a budget of inf s"),
        ({"jobs": 0}, SuperoptError, "0 processes"),
        ({"function": "none"}, IrError, "defines no function 'none'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_searched(
    module: Path, settings: dict[str, object], error: type[Exception], message: str
) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=message) as caught:
        quick(module, **settings)
    assert isinstance(caught.value, ValueError) and time.monotonic() - began < 5.0


def test_a_module_without_functions_says_why(tmp_path: Path) -> None:
    (tmp_path / "none.ll").write_text("declare void @f()")
    with pytest.raises(SuperoptError, match="there is no function to search"):
        quick(tmp_path / "none.ll")


def test_verify_takes_facts_and_names(module: Path, tmp_path: Path) -> None:
    (tmp_path / "same.ll").write_text(REST.replace("urem i32 %x, 1000", "add i32 %x, 0"))
    (tmp_path / "rest.ll").write_text(REST)
    assert verify(tmp_path / "rest.ll", tmp_path / "same.ll").exit_status == 1
    report = verify(tmp_path / "rest.ll", tmp_path / "same.ll", assume=["x < 1000"])
    assert report.exit_status == 0 and [fact.text for fact in report.verdict.assumptions] == ["x < 1000"]
    assert verify(module, module, function="sum").exit_status == 0
    with pytest.raises(SuperoptError, match="defines 4 functions; name one with --function"):
        verify(module, module)
    with pytest.raises(SignatureError):
        verify(VECTORS / "hd03_isolate.src.ll", tmp_path / "same.ll")
    with pytest.raises(SuperoptError, match="nothing satisfies"):
        verify(tmp_path / "rest.ll", tmp_path / "same.ll", assume=["x < 1", "x > 1"])


def test_a_loop_is_verified_by_its_bound_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "loop.ll").write_text(LOOP)
    (tmp_path / "other.ll").write_text("define i32 @bits(i64 noundef %x) { %t = trunc i64 %x to i32 ret i32 %t }")
    assert verify(tmp_path / "loop.ll", tmp_path / "other.ll", budget=20.0).exit_status in (1, 3)
    assert verify(tmp_path / "loop.ll", tmp_path / "loop.ll", budget=20.0).exit_status == 0


@pytest.mark.campaign
def test_ctrl_c_keeps_the_functions_that_were_finished_and_resuming_ends_the_rest(module: Path, tmp_path: Path) -> None:
    words = ["superopt", str(module), "-o", "out", "--no-measure", "--thorough", "--budget", "6"]
    command = [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stderr is not None and process.stdout is not None
        for line in process.stderr:
            if line.startswith("m4alloc superopt: @"):
                break
        interrupt(process)
        out = process.stdout.read()
    assert process.returncode == 130, out
    line = next(row for row in out.splitlines() if row.startswith("interrupted: "))
    again = line.partition("it goes on with: ")[2].split()
    done = subprocess.run(
        [sys.executable, "-m", *again], cwd=tmp_path, capture_output=True, text=True, env=environment, check=True
    )
    assert "module.ll: 4 functions, " in done.stdout
    assert len((tmp_path / "out" / "state.jsonl").read_text().splitlines()) == 5


@pytest.mark.campaign
def test_on_a_cluster_a_module_ends_as_it_does_here(module: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as there:
        far = quick(module, scheduler=there.scheduler_address)
    here = quick(module)
    assert [one.after for one in far.functions] == [one.after for one in here.functions]
