"""Settings: what makes no sense is refused at once, and the message says what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from m4alloc.tune.settings import Settings, TuneError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluations": 9}, "9 evaluations; from 10 to 1,000,000"),
        ({"rounds": 5}, "5 rounds; from 6 to 200"),
        ({"calls": 10}, "10 calls of each workload; from 1,000 to 1,000,000,000,000"),
        ({"reuse_after": -1}, "a promise of -1 frees; from 0 to 69,632"),
        ({"jobs": -1}, "-1 jobs; from 0 to 1,024"),
        ({"prefer": "speed"}, "prefer 'speed'; there are balanced, time, memory, security"),
        ({"security": "none"}, "security 'none'; there are default, hardened, any"),
        ({"objective": "max"}, "objective 'max'; there are mean, regret"),
        ({"timeout": 0.0}, "a timeout of 0 s; it must be more than 0"),
        ({"timeout": float("nan")}, "a timeout of nan s; it must be more than 0"),
        ({"gate_budget": 0.5}, "0.5 s for the gates of a candidate; at least 1"),
        ({"name": "a/b"}, "the name 'a/b': letters, digits and ._+- are wanted, 64 at most"),
        ({"weights": Path("w")}, "--weights are of the learned agent: --method agent, or --compare"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TuneError) as caught:
        Settings(output=Path("x"), **changes)
    assert str(caught.value) == message


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(TuneError, match=r"^method 'magic'; there are .*climb"):
        Settings(output=Path("x"), method="magic")


def test_a_scheduler_alone_chooses_the_cluster() -> None:
    assert Settings(output=Path("x")).engine == "local"
    assert Settings(output=Path("x"), scheduler="tcp://host:8786").engine == "dask"
