"""Estimates of llvm-mca, where it is installed."""

import shutil

import pytest

from m4alloc.superopt import cost_mca
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import TARGETS

PRODUCT = parse_function("define i64 @f(i64 %x, i64 %y) {\n  %a = mul i64 %x, %y\n  ret i64 %a\n}\n")
BRANCH = parse_function(
    "define void @f(i1 %c, ptr %p) {\n  br i1 %c, label %a, label %b\na:\n  store i8 1, ptr %p\n  br label %b\n"
    "b:\n  ret void\n}\n"
)
installed = pytest.mark.skipif(shutil.which("llvm-mca") is None, reason="llvm-mca is not installed")


@installed
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_model(target: str) -> None:
    found, reason = cost_mca.estimate(PRODUCT, target)
    assert found is not None and found.cycles >= 1.0 and found.throughput > 0.0, reason


@installed
def test_a_branch_has_no_estimate_and_says_why() -> None:
    found, reason = cost_mca.estimate(BRANCH)
    assert found is None and "follows no branch" in reason


def test_a_missing_tool_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_mca.shutil, "which", lambda name: None)
    assert cost_mca.estimate(PRODUCT) == (None, "llvm-mca is not installed")


def test_an_unknown_target_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_mca.shutil, "which", lambda name: "/bin/true")
    assert "no model for 'vax'" in cost_mca.estimate(PRODUCT, "vax")[1]


def test_an_immediate_of_aarch64_is_no_comment() -> None:
    assert cost_mca.code("\tadd w0, w0, #1 // one more\n\tret\n") == ["add w0, w0, #1"]


def test_labels_directives_and_comments_are_no_code() -> None:
    text = "\t.text\nf: # @f\n.Lfunc_begin0:\n# %bb.0:\n\tnop\n\tretq\n\t.cfi_endproc\n"
    assert cost_mca.code(text) == ["nop"]
