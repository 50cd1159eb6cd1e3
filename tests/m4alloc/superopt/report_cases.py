"""Files to superoptimise, and a report of them that takes no search worth the name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from m4alloc.superopt.cost_mca import Estimate
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.measure import Measurement, Timing
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.problem import Step
from m4alloc.superopt.report import Estimated, RewriteReport
from m4alloc.superopt.run_function import Rewrite, Settings

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "superopt"
QUICK = Settings(methods=("llvm -O3",), budget=5.0, jobs=1, measure=False)
"""What LLVM makes of it, and nothing else: 0.1 s."""

MODULE = """
target triple = "x86_64-unknown-linux-gnu"
@limits = internal constant [2 x i32] [i32 3, i32 5]
@held = global i32 0
declare i32 @puts(ptr)

define i32 @sum(i32 noundef %x, i32 noundef %y) {
  %a = add i32 %x, %y
  %b = sub i32 %a, %x
  %r = add i32 %b, %y
  ret i32 %r
}

define float @moved(float %x) {
  %r = fadd float %x, 1.0
  ret float %r
}

define i32 @least(i32 noundef %x) {
  %r = mul i32 %x, 3
  ret i32 %r
}

define i32 @calls(ptr %p, i32 noundef %x, i32 noundef %y) {
  %c = call i32 @puts(ptr %p)
  %a = add i32 %x, %y
  %b = sub i32 %a, %x
  %r = add i32 %b, %c
  %h = load i32, ptr @held
  %s = add i32 %r, %h
  ret i32 %s
}
"""

LOOP = """
define i32 @bits(i64 noundef %x) {
entry:
  %empty = icmp eq i64 %x, 0
  br i1 %empty, label %end, label %body
body:
  %n = phi i32 [ %n1, %body ], [ 0, %entry ]
  %s = phi i64 [ %s1, %body ], [ %x, %entry ]
  %t = trunc i64 %s to i32
  %b = and i32 %t, 1
  %n1 = add i32 %b, %n
  %s1 = lshr i64 %s, 1
  %done = icmp eq i64 %s1, 0
  br i1 %done, label %end, label %body
end:
  %r = phi i32 [ 0, %entry ], [ %n1, %body ]
  ret i32 %r
}
"""


@cache
def report() -> RewriteReport:
    """Of MODULE: @sum and @calls are made cheaper, @least is not, @moved cannot be searched.

    Times are made up, what llvm-mca would say too, and that the proof of @sum needs its fact.
    """
    module = parse_module(MODULE)
    facts = (Fact("x < 1000"),)
    found = tuple(
        Rewrite(one, facts if one.name in ("sum", "least") else (), QUICK).rewritten() for one in module.functions
    )
    timing = Timing(2.0, 1.0, 0.5, 0.45, 0.55, 0.1, 31)
    verdict = replace(found[0].verdict, assumptions=facts)
    piece = found[0].pieces[0]
    best = replace(piece.result.best, verdict=verdict)
    first = replace(
        found[0],
        pieces=(replace(piece, result=replace(piece.result, best=best)),),
        verdict=verdict,
        measured=Measurement(timing, replace(timing, low=0.4, high=1.2)),
        estimated=Estimated(Estimate(4.5, 1.0, "haswell"), Estimate(2.5, 0.5, "haswell")),
    )
    rest = tuple(replace(one, measured=Measurement(None, None, "made up")) for one in found[1:])
    return RewriteReport(
        "module.ll", "x86-64", "ir", facts, (first, *rest), {"odd": "it has a landing pad"}, QUICK.methods, 5.0, 0,
        1.5, 4, module=module,
    )  # fmt: skip


def step_of(report: RewriteReport) -> Step:
    """The step that leads to what @sum became."""
    return report.functions[0].pieces[0].steps[0]
