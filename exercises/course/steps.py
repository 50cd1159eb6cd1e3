"""The five steps: where the student's file is, what it promises, and what it stands on."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from exercises.course import attacks, cheri, coalescing, free_list, temporal
from exercises.course.promise import EXERCISES, Promise, Result, judge


class UnreadableError(Exception):
    """A student's file that Python cannot import; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One exercise.

    number: from 1. folder: in exercises/, with heap.py. title: in words. promises: in the order in which to mend them.
    """

    number: int
    folder: str
    title: str
    promises: Sequence[Promise]

    @property
    def file(self) -> Path:
        """What the student writes."""
        return EXERCISES / self.folder / "heap.py"

    def module(self) -> ModuleType:
        """The student's file, imported.  Raises UnreadableError."""
        try:
            module = import_module(f"exercises.{self.folder}.heap")
        except SyntaxError as error:
            where = f"{Path(error.filename or '').name} line {error.lineno}"
            raise UnreadableError(f"{where} is no Python: {error.msg}") from error
        except (Exception, SystemExit) as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "exercises" in frame.filename]
            where = f"{Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else self.file.name
            raise UnreadableError(f"{where}: {type(error).__name__}: {error}") from error
        if not hasattr(module, "Heap"):
            raise UnreadableError(f"{self.file.name} has no class Heap")
        return module

    def results(self, module: ModuleType) -> list[Result]:
        """What became of each promise, up to the first whose test hangs.  Cost: about a second."""
        found: list[Result] = []
        for promise in self.promises:
            found.append(judge(promise, module))
            broken = found[-1].broken
            if broken is not None and broken.stuck:
                break
        return found


STEPS = (
    Step(1, "step1_free_list", "a free list", free_list.PROMISES),
    Step(2, "step2_coalescing", "coalescing", coalescing.PROMISES),
    Step(3, "step3_cheri", "capabilities", cheri.PROMISES),
    Step(4, "step4_attacks", "the attack table", attacks.PROMISES),
    Step(5, "step5_time", "a temporal property", temporal.PROMISES),
)


def unfinished_before(step: Step) -> Step | None:
    """The first of the earlier steps that is not done, if there is one: this step stands on it."""
    for earlier in STEPS[: step.number - 1]:
        module = earlier.module()
        if any(judge(promise, module).broken for promise in earlier.promises):
            return earlier
    return None


def advice(earlier: Step) -> str:
    """What to do about a step that is not done."""
    folder = earlier.folder
    return (
        f"This step stands on step {earlier.number}, {earlier.title}, which is not done: "
        f"python -m exercises {earlier.number}\n"
        f"To go on without it: cp exercises/solutions/{folder}.py exercises/{folder}/heap.py\n"
    )


def quiet() -> None:
    """No .pyc files beside the exercises: what was changed a moment ago is what is tested."""
    sys.dont_write_bytecode = True
