"""Students' files as tests need them: starters, solutions, and typical wrong solutions made from these."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from exercises.course.promise import EXERCISES, BrokenPromise
from exercises.course.promise import judge as judge_promise
from exercises.course.steps import STEPS

FOLDERS = [step.folder for step in STEPS]
SOLUTIONS = EXERCISES / "solutions"
MODEL = "quarantine.m4m"


class Judged(dict[str, BrokenPromise]):
    """The broken promises of one file, by name and in order."""

    @property
    def first(self) -> str:
        return next(iter(self), "")

    def told(self) -> str:
        """The first one as a student reads it."""
        broken = self[self.first]
        return "\n".join([*broken.history, broken.happened, broken.hint])


def loaded(path: Path, replacements: tuple[tuple[str, str], ...], folder: Path) -> ModuleType:
    """The file as a module, changed; what it stands on are the solutions."""
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
        text = text.replace(old, new)
    for name in FOLDERS:
        text = text.replace(f"exercises.{name}.heap", f"exercises.solutions.{name}")
    module = ModuleType(f"exercise_{path.stem}")
    module.__file__ = str(folder / path.name)
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(text, str(SOLUTIONS / path.name), "exec", dont_inherit=True), module.__dict__)
    return module


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Judged]:
    """judged(2, ("old", "new"), ...): what is broken in the solution of a step with these changes.

    starter: of the starter instead. model: changes of the model. promises: names of those to be judged; else all.
    """

    def judge(
        number: int,
        *replacements: tuple[str, str],
        starter: bool = False,
        model: tuple[tuple[str, str], ...] = (),
        promises: tuple[str, ...] = (),
    ) -> Judged:
        step = STEPS[number - 1]
        path = step.file if starter else SOLUTIONS / f"{step.folder}.py"
        text = path.with_name(MODEL).read_text(encoding="utf-8") if number == 5 else ""
        for old, new in model:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / MODEL).write_text(text, encoding="utf-8")
        module = loaded(path, replacements, tmp_path)
        chosen = [one for one in step.promises if not promises or one.name in promises]
        assert len(chosen) >= len(promises)
        found = Judged()
        for one in chosen:
            broken = judge_promise(one, module).broken
            if broken is not None:
                found[one.name] = broken
        return found

    return judge
