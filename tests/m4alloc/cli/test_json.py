"""Every verb that reports prints JSON, alone on stdout, which obeys the schema in docs/json-schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.cli import main
from tests.m4alloc.schema import faults

SCHEMAS = Path(__file__).resolve().parents[3] / "docs" / "json-schema"
EXCERPT = str(Path(__file__).resolve().parents[3] / "benchmarks" / "traces" / "excerpts" / "sqlite3.m4t.xz")
SHORT = EXCERPT.replace("sqlite3", "search")
VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "cheri"
SIGN = str(Path(__file__).resolve().parents[2] / "vectors" / "superopt" / "hd13_sign.src.ll")
ARGUMENTS = {
    "attack": ["--architecture", "adi-precise"],
    "bench": ["--quick", "--rounds", "1", "--program", "binary_tree", "--among", "glibc"],
    "check": ["system", "--engine", "exhaustive", "--sizes", "16", "--depth", "2", "--budget", "20s", "--output", "-"],
    "convert": [EXCERPT, "out.csv"],
    "doctor": [],
    "grade": ["system", EXCERPT, "--budget", "1s"],
    "lib": [],
    "ltl": ["sat", "p"],
    "monitor": ["--", "echo", "hello"],
    "model": ["peterson", "--engine", "own", "--property", "exclusive"],
    "new": ["pool"],
    "record": ["-o", "trace", "--", "echo", "hello"],
    "replay": ["trace"],
    "run": ["--", "sh", "-c", "echo hello; echo hello"],
    "superopt": ["--method", "llvm -O3", "--budget", "5", "--no-measure", SIGN],
    "tune": [
        *["--no-measure", "--no-advice", "--evaluations", "10", "--gate-budget", "1s", "--method", "climb"],
        *["--jobs", "1", "--calls", "1000", SHORT],
    ],
    "vectors": [str(VECTORS / "128m-crrl.sample.jsonl.gz")],
    "verify": ["--rounds", "0", "--", "echo", "hello"],
    "view": [EXCERPT],
}
pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording called `trace`."""
    result = tmp_path_factory.mktemp("json")
    command = [sys.executable, "-m", "m4alloc", "record", "-o", "trace", "--", "true"]
    subprocess.run(command, cwd=result, check=True, capture_output=True)
    return result


def test_every_verb_has_a_schema() -> None:
    compilers = {"cc", "c++"}  # what they print is a compiler's
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(main.verbs()) - compilers == set(ARGUMENTS)


@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=pytest.mark.slow) if verb == "tune" else verb for verb in ARGUMENTS]
)
def test_the_json_obeys_its_schema(verb: str, folder: Path) -> None:
    schema = json.loads((SCHEMAS / f"{verb}.json").read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "m4alloc", verb, "--json", *ARGUMENTS[verb]]
    quickly = {**os.environ, "CFLAGS": "-O0"}  # of a library that a verb builds
    done = subprocess.run(command, cwd=folder, env=quickly, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(faults(json.loads(done.stdout), schema)) == []


@pytest.mark.parametrize("words", [["verify", "--list"], ["monitor", "--list"], ["model", "--list"]])
def test_what_is_listed_obeys_the_schema_of_its_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((SCHEMAS / f"{words[0]}.json").read_text(encoding="utf-8"))
    assert main.main([*words, "--json"]) == 0
    assert list(faults(json.loads(capsys.readouterr().out), schema)) == []


def test_a_replayed_counterexample_obeys_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["model", "philosophers", "--engine", "own", "--const", "ORDERED=false", "--property", "deadlock"]
    assert main.main(words) == 1
    (found,) = (str(path) for path in Path("findings").glob("*.json"))
    capsys.readouterr()
    assert main.main(["model", "--replay", found, "--json"]) == 1
    schema = json.loads((SCHEMAS / "model.json").read_text(encoding="utf-8"))
    told = json.loads(capsys.readouterr().out)
    assert list(faults(told, schema)) == [] and told["steps"] > 0 and told["property"] == "deadlock"
