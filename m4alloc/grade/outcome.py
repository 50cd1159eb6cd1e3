"""What graders have in common: what they say of one trace, and what makes grading impossible."""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.grade.report import Fault, Measured


class GradeError(ValueError):
    """The allocator or a trace cannot be graded at all: what is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What one trace showed: what was measured, or a fault."""

    measured: Measured | None = None
    fault: Fault | None = None
