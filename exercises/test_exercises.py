"""`pytest exercises -k step2 -x`: the same promises as `python -m exercises`, one test each.

Not among the testpaths of the project: as long as the exercises are not solved, these tests are meant to fail.
"""

from __future__ import annotations

import pytest

from exercises.course.promise import Promise, Result, judge
from exercises.course.steps import STEPS, Step, UnreadableError
from exercises.course.telling import told_broken

CASES = [
    pytest.param(step, promise, id=f"step{step.number}-{promise.name.replace(' ', '-')}")
    for step in STEPS
    for promise in step.promises
]


@pytest.mark.parametrize(("step", "promise"), CASES)
def test_promise(step: Step, promise: Promise) -> None:
    try:
        broken = judge(promise, step.module()).broken
    except UnreadableError as error:
        pytest.fail(str(error), pytrace=False)
    if broken is not None:
        pytest.fail("\n".join([promise.sentence, *told_broken(Result(promise, broken))]), pytrace=False)
