"""A file with a run is believed only as far as the run still shows what it was written for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m4alloc.model import runs
from m4alloc.model.check import model


def written(folder: Path, text: str, question: str) -> Path:
    """The file of the counterexample to a property of a model, which is model.m4m in that folder."""
    source = folder / "model.m4m"
    source.write_text(text, encoding="utf-8")
    return Path(model(source, properties=[question], engine="own", output=folder).answers[0].file)


def changed(file: Path, **content: Any) -> Path:
    """The file with other content."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(whole | content), encoding="utf-8")
    return file


COUNTS = """
model counts
var n: 0..5 = 0
process p { while n < 3 { n = n + 1 }  here: await n == 0 }
predicate small = n < 2
predicate large = n > 1
property stays: []small
property returns: []<>small
"""


@pytest.mark.parametrize("question", ["stays", "returns", "deadlock"])
def test_a_run_replays_from_its_file(question: str, tmp_path: Path) -> None:
    file = written(tmp_path, COUNTS, question)
    assert runs.read(file)[1].property == question


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        ("stays", r"violates \[\]small"),
        ("returns", r"violates \[\]<>small"),
        ("deadlock", "comes to a deadlock or a fault"),
    ],
)
def test_a_run_that_is_cut_short_no_longer_shows_anything(question: str, complaint: str, tmp_path: Path) -> None:
    file = written(tmp_path, COUNTS, question)
    first = json.loads(file.read_text(encoding="utf-8"))["steps"][:1]
    with pytest.raises(runs.RunError, match=f"the run no longer {complaint}$"):
        runs.read(changed(file, steps=first, back=None))


def test_a_property_that_was_weakened_is_no_longer_violated(tmp_path: Path) -> None:
    for question, weaker in (("stays", "[](small || large)"), ("returns", "<>small")):
        file = written(tmp_path, COUNTS, question)
        with pytest.raises(runs.RunError, match="the run no longer violates "):
            runs.read(changed(file, formula=weaker))


def test_a_deadlock_where_the_process_may_stay_now_is_none(tmp_path: Path) -> None:
    file = written(tmp_path, COUNTS, "deadlock")
    (tmp_path / "model.m4m").write_text(COUNTS.replace("await n == 0", "end"), encoding="utf-8")
    with pytest.raises(runs.RunError, match=r"the run no longer comes to a deadlock or a fault$"):
        runs.read(file)


def test_a_fault_that_the_model_has_no_longer_is_none(tmp_path: Path) -> None:
    text = "model counts var n: 0..2 = 0 process p { loop { n = n + 1 } }"
    file = written(tmp_path, text, "deadlock")
    assert runs.read(file)[1].reason.endswith("n = 3 is out of its range 0..2")
    (tmp_path / "model.m4m").write_text(text.replace("0..2", "0..3"), encoding="utf-8")
    with pytest.raises(runs.RunError, match="the run no longer comes to a deadlock or a fault"):
        runs.read(file)


def test_constants_that_are_set_anew_are_those_of_the_run(tmp_path: Path) -> None:
    file = written(
        tmp_path, "model counts\nconst N = 2\nvar n: 0..N = 0\nprocess p { loop { n = n + 1 } }\n", "deadlock"
    )
    assert runs.read(file)[1].constants == {}
    with pytest.raises(runs.RunError, match="the run no longer comes to a deadlock or a fault"):
        runs.read(file, {"N": 3})
    assert runs.read(changed(file, constants={"N": 3}), {"N": 2})[1].constants == {"N": 2}
