"""libm4record.so and libm4replay.so need only libc; the recorder exports the malloc family and labels, nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from m4alloc.lib import recorder, replayer
from tests.m4alloc.native import ROOT, need
from tests.m4alloc.test_preload_symbols import DELETE, NEW, C

BOTH = pytest.mark.parametrize("library", [recorder, replayer])
OURS_ALONE = {
    "malloc_trim",
    "mallinfo",
    "mallinfo2",
    "m4alloc_info",
    "m4alloc_misuses",
    "m4alloc_refusals",
    "m4alloc_stats",
}
"""What the allocator exports beside the calls that are recorded."""


def output(library: Path, *words: str) -> str:
    need(words[0], "binutils")
    return subprocess.run([*words, str(library)], capture_output=True, text=True, check=True).stdout


def symbols(library: Path, which: str) -> set[str]:
    return {line.split()[-1] for line in output(library, "nm", "-D", f"--{which}-only").splitlines()}


@BOTH
def test_every_strong_undefined_symbol_is_of_libc(library: Callable[[], Path]) -> None:
    lines = output(library(), "nm", "-D", "--undefined-only").splitlines()
    strong = [line.split()[1] for line in lines if line.split()[0] == "U"]
    assert len(strong) > 10
    assert [name for name in strong if "@GLIBC_" not in name] == []


@BOTH
def test_no_symbol_of_python_is_left(library: Callable[[], Path]) -> None:
    names = symbols(library(), "undefined") | symbols(library(), "defined")
    assert names
    assert [name for name in names if re.match(r"_?Py|__pyx|__Pyx", name)] == []


@BOTH
def test_only_libc_is_needed(library: Callable[[], Path]) -> None:
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output(library(), "readelf", "-dW")))
    assert {name for name in needed if not name.startswith("ld-linux")} == {"libc.so.6"}


def test_the_recorder_exports_every_call_that_the_allocator_serves() -> None:
    assert symbols(recorder(), "defined") == {*C.split(), *NEW, *DELETE, "m4alloc_label"} - OURS_ALONE


def test_the_replayer_exports_nothing() -> None:
    assert symbols(replayer(), "defined") == set()


def test_what_the_recorder_exports_is_what_its_version_script_lists() -> None:
    script = (ROOT / "m4alloc" / "record_preload.map").read_text()
    listed = set(re.findall(r"\b(\w+);", script.split("global:")[1].split("local:")[0]))
    assert listed == symbols(recorder(), "defined")


def test_no_record_is_written_with_the_help_of_python() -> None:
    """Functions of the hot path, as Cython translates them, hold no call into Python."""
    text = (ROOT / "m4alloc" / "_record.c").read_text()
    for name in ("m4_enter", "m4_leave_block", "m4_leave", "m4_leave_zeroed", "m4_leave_resized", "m4_label"):
        body = re.search(rf"^static [^;\n]*\b{name}\([^;\n]*\) {{\n(.*?)^}}\n", text, re.MULTILINE | re.DOTALL)
        assert body is not None, name
        assert re.findall(r"\b_?Py[A-Z]\w+|__Pyx_[A-Z]\w+", body[1]) == [], name
