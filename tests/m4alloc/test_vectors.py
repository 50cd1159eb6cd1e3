"""`m4alloc vectors`: every row of the samples passes, a wrong row is told in full, bad files are refused by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import m4alloc
from capability.cheri import concentrate
from m4alloc.cli.main import main
from m4alloc.vectors.registry import CHECKS, UnknownVectorError, find
from m4alloc.vectors.row import Mismatch, RowError, Skip, compare
from m4alloc.vectors.run import VectorError, judge, rows
from tests.m4alloc.schema import faults

SAMPLES = Path(__file__).resolve().parents[1] / "vectors" / "cheri"
FILES = sorted(SAMPLES.glob("*.jsonl.gz"))
GOOD = {"len": "0x00000041", "crrl": "0x00000048", "cram": "0xfffffff8", "align": "0x00000008", "sail_ok": True}


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_every_row_of_the_sample_passes(path: Path) -> None:
    report = judge(path)
    assert report.failed == report.skipped == 0 and report.passed == len(list(rows(path))) > 30, report.lines()


def test_there_is_a_sample_of_every_format_and_operation() -> None:
    files = [*FILES, *(SAMPLES.parent / "ltl").glob("*.jsonl.gz")]
    names = {path.name.partition(".")[0].removesuffix("-transcribed") for path in files}
    assert names == set(CHECKS) - {"mte"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_every_answer_of_the_reference_is_compared(path: Path) -> None:
    """Each field of a row, once changed, either makes the row fail or was part of the question."""
    asked = {"pesbt", "addr", "tag", "kind", "name", "base", "top", "req_base", "req_len", "new_addr", "len", "mask"}
    asked |= {"lvbits", "otype", "ea", "size", "value_tag", "value_global", "mem_tag"}
    operation = path.name.split("-")[1].partition(".")[0]
    asked -= {"mask"} if operation == "compress" else set()
    asked -= (
        {"base", "top", "otype"} if operation == "decode" else {"base", "top"} if operation != "compress" else set()
    )
    check = find(path)
    compared: set[str] = set()
    for _, row in rows(path):
        for name in set(row) - asked - compared:
            found = check({**row, name: "another answer"})
            if isinstance(found, list) and [mismatch.field for mismatch in found] == [name]:
                compared.add(name)
    assert compared == {name for _, row in rows(path) for name in row} - asked


def test_a_wrong_row_is_told_in_full_and_the_exit_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**GOOD, "crrl": "0x00000041"}
    path = write(tmp_path / "64-crrl.mine.jsonl", GOOD, wrong)
    assert main(["vectors", str(path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 1 passed, 1 failed, 0 skipped",
        f"  line 2: {json.dumps(wrong)}",
        "    crrl: reference 0x00000041, model 0x00000048",
    ]


def test_only_the_first_mismatches_are_told_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "64-crrl.jsonl", *[{**GOOD, "cram": "0x0"} for _ in range(5)])
    report = judge(path)
    assert report.failed == 5 and [failure.line for failure in report.failures] == [1, 2, 3]
    assert report.lines()[-1] == "  and 2 more"


def test_an_error_in_the_model_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder without its correction for regions that wrap: vectors are there to find such things."""
    whole = concentrate.Concentrate.decode

    def careless(codec: concentrate.Concentrate, bits: int, address: int) -> concentrate.Bounds:
        found = whole(codec, bits, address)
        return found._replace(top=found.top & ((1 << codec.address_bits) - 1))

    monkeypatch.setattr(concentrate.Concentrate, "decode", careless)
    assert judge(SAMPLES / "128-decode.sample.jsonl.gz").failed


def test_the_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "64-crrl.jsonl", GOOD, {**GOOD, "align": "0x1"})
    assert main(["vectors", "--json", str(path)]) == 1
    printed = json.loads(capsys.readouterr().out)
    schema: dict[str, Any] = json.loads(
        (Path(__file__).resolve().parents[2] / "docs" / "json-schema" / "vectors.json").read_text(encoding="utf-8")
    )
    assert list(faults(printed, schema)) == []
    (file,) = printed["files"]
    assert (file["passed"], file["failed"], file["skipped"]) == (1, 1, 0)
    assert file["failures"][0]["mismatches"] == [{"field": "align", "reference": "0x1", "model": "0x00000008"}]


def test_the_verb_is_a_function_of_the_library() -> None:
    report = m4alloc.vectors(FILES[:2])
    assert report.exit_status == 0 and [file.file for file in report.files] == [str(path) for path in FILES[:2]]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.jsonl", "{}", "notes.jsonl: a vector file's name begins with FORMAT-OPERATION"),
        ("128x-decode.jsonl", "{}", "begins with FORMAT-OPERATION"),
        ("64-crrl.jsonl", "{", "line 1: no JSON"),
        ("64-crrl.jsonl", "[1]", "line 1: a row is a JSON object in braces, not [1]"),
        ("64-crrl.jsonl", '{"crrl": "0x1"}', "line 1: the row has no field 'len'"),
        ("64-crrl.jsonl", '{"len": "0x1"}', "line 1: the row has no field crrl, cram, align"),
        ("64-crrl.jsonl", '{"len": "0x100000000"}', "0x100000000 does not fit in 32 bits"),
        ("64-crrl.jsonl", '{"len": 5}', "len is 5: a hexadecimal number in quotes"),
        ("64-seal.jsonl", '{"pesbt": "0x0", "addr": "0x0", "otype": 16}', "otype is 16: a number, 0 <= otype <= 15"),
        ("64-decode.jsonl", '{"pesbt": "0x0", "addr": "0x0", "tag": 1}', "tag is 1: true or false"),
        ("64-constants.jsonl", '{"name": "pi", "value": "0x3"}', "name is 'pi'"),
        ("128-access.jsonl", '{"pesbt": "0x0", "addr": "0x0", "tag": true, "kind": "jump"}', "kind is 'jump'"),
        ("64-crrl.jsonl.gz", "no gzip", "cannot be read"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_status_2(
    name: str, content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / name, content)
    assert main(["vectors", str(tmp_path / name)]) == 2
    assert says in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="cannot be read: No such file"):
        judge(tmp_path / "64-crrl.jsonl")
    with pytest.raises(UnknownVectorError):
        m4alloc.vectors(["README.md"])


def test_a_cut_off_archive_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(GOOD).encode() * 50)
    (tmp_path / "64-crrl.jsonl.gz").write_bytes(whole[:-9])
    with pytest.raises(VectorError, match="cannot be read"):
        judge(tmp_path / "64-crrl.jsonl.gz")


def test_the_longest_beginning_of_a_name_decides() -> None:
    with pytest.raises(RowError, match="'lvbits'"):
        find("128-perms.jsonl")({})
    with pytest.raises(UnknownVectorError):
        find("128-permsandmore.jsonl")


def test_skips_are_counted_by_reason_and_fail_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.vectors.cheri.check", lambda *_: Skip("records the emulator"))
    report = judge(write(tmp_path / "64-crrl.jsonl", GOOD, GOOD))
    assert report.lines() == [
        f"{report.file}: 0 passed, 0 failed, 2 skipped",
        "  2 skipped: records the emulator",
    ]


def test_a_comparison_names_the_field() -> None:
    assert compare({"a": 1, "b": 2}, {"a": 1, "b": 3}) == [Mismatch("b", 2, 3)]
    with pytest.raises(RowError, match="no field c"):
        compare({"a": 1}, {"c": 1})
