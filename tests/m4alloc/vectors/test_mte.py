"""The checker of MTE rows: the sample passes, and a wrong value in any field that it answers is found."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from m4alloc.vectors.mte import ANSWERS, EMULATOR, check
from m4alloc.vectors.row import RowError, Skip

SAMPLE = Path(__file__).parents[2] / "vectors" / "mte.sample.jsonl.gz"
with gzip.open(SAMPLE, "rt", encoding="ascii") as lines:
    ROWS: list[dict[str, Any]] = [json.loads(line) for line in lines]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['k']}-{row['id']}")


@every_row
def test_the_model_agrees_with_the_recorded_row(row: dict[str, Any]) -> None:
    found = check(row)
    assert isinstance(found, Skip) if row["k"] in EMULATOR else found == []


def test_the_sample_has_every_kind_of_row() -> None:
    assert {row["k"] for row in ROWS} == {*ANSWERS, *EMULATOR}


def _other(value: object) -> object:
    """A value of the same form that is not this one."""
    if isinstance(value, str):
        return "f" * len(value) if set(value) != {"f"} else "0" * len(value)
    if isinstance(value, list):
        return [*value[:-1], (value[-1] + 1) % 16] if value else [0]
    assert isinstance(value, int)
    return 1 - value if value in (0, 1) else value + 1


@every_row
def test_a_wrong_value_in_any_answered_field_is_found(row: dict[str, Any]) -> None:
    answers = {} if row["k"] in EMULATOR else ANSWERS[row["k"]](row)
    assert isinstance(answers, dict)
    for name in answers:
        found = check({**row, name: _other(row[name])})
        assert not isinstance(found, Skip) and [mismatch.field for mismatch in found][:1] != []


def test_a_refused_write_is_compared_with_its_syndrome() -> None:
    """The sample has no such row in the synchronous mode: this one is made up, with every field that can be named."""
    row = {"k": "tcf", "tcf": 1, "mode": "sync", "write": 1, "bit55": 0, "ptag": 6, "mtag": 5}
    reported = {"fault": 1, "tfsr": 0, "stored": 0, "dfsc": 0x11, "wnr": 1, "far": "0600000041000000"}
    assert check({**row, **reported, "esr": "0000000096000051"}) == []
    assert check({**row, **reported, "esr": 0x96000051}) == []
    for name, wrong in (("esr", 0x96000011), ("far", "0500000041000000"), ("wnr", 0), ("dfsc", 0x21)):
        found = check({**row, **reported, "esr": 0x96000051, name: wrong})
        assert not isinstance(found, Skip) and [mismatch.field for mismatch in found] == [name]


def test_dc_zva_is_the_models_unless_the_emulator_found_no_memory() -> None:
    row = {"k": "dc", "op": "zva", "block": 64, "off": 70, "ptag": 5, "odd_granule": -1, "src": "qemu-system"}
    done = {"fault": 0, "first_zero": 4, "n_zero": 4, "first_retag": -1, "n_retag": 0}
    assert check({**row, **done}) == []
    refused = {"fault": 1, "first_zero": -1, "n_zero": 0, "first_retag": -1, "n_retag": 0}
    assert check({**row, **refused, "odd_granule": 6}) == []
    assert isinstance(check({**row, **refused, "src": "qemu-user-7.2.22"}), Skip)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "row of kind 'None'"),
        ({"k": "stgq"}, "one of tagof, gmi"),
        ({"k": "gmi", "xn": "0"}, "without the field 'xm'"),
        ({"k": "gmi", "xn": "1" * 17, "xm": "0", "xd": "0"}, "does not fit in 64 bits"),
        ({"k": "tagof", "x": 5, "tag": 0}, "cannot be"),
        ({"k": "tagof", "x": "0g", "tag": 0}, "cannot be"),
        ({"k": "tagof", "x": "0000000000001230"}, "no field tag"),
    ],
)
def test_a_row_that_cannot_be_is_an_error_that_names_what_is_wrong(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        check(row)
