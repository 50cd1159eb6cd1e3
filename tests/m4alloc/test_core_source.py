"""The core's source: no Python in it, its numbers the specification's, its records the size they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc import _build
from spec.event import Function

PACKAGE = Path(_build.__file__).parent
CORE = PACKAGE / "_core"
# fmt: off
LAYERS = [
    "c", "fault", "types", "size_class", "slot", "region", "metadata", "chance", "fence", "span", "side", "misuse",
    "slab", "stack", "remote", "canary", "guard", "hold", "heap", "large", "arena", "hooks", "sample", "copy",
    "malloc", "resize", "dispatch", "fork", "explain", "knobs", "stats",
]
# fmt: on
HOT = ("m4_malloc", "m4_free", "m4_calloc", "m4_realloc", "m4_aligned", "m4_usable_size")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core's C and its annotated listing, made anew in a folder of their own."""
    if not (PACKAGE / "_fast.pyx").exists():
        pytest.skip("the wheel has no source")
    folder = tmp_path_factory.mktemp("generated")
    command = [sys.executable, "-m", "cython", "-3", "-a", "-o", str(folder / "_fast.c"), "m4alloc/_fast.pyx"]
    subprocess.run(command, cwd=PACKAGE.parent, check=True, capture_output=True)
    return folder


def bodies(text: str) -> dict[str, str]:
    """The C function bodies of the core, by name."""
    found = {}
    head = re.compile(
        r"^static (?:CYTHON_INLINE )?[\w ]+?\*{0,2}(m4_\w+|__pyx_f_7m4alloc_5_core_\w+)\([^;]*\) \{$", re.M
    )
    for match in head.finditer(text):
        found[match.group(1)] = text[match.end() : text.index("\n}", match.end())]
    return found


@pytest.mark.slow
def test_no_function_of_the_core_touches_python(generated: Path) -> None:
    functions = bodies((generated / "_fast.c").read_text())
    assert {*HOT, "m4_release_slow", "m4_refill", "__pyx_f_7m4alloc_5_core_6malloc_release"} <= set(functions)
    assert len(functions) > 100
    python = re.compile(r"\bPy[A-Z_]\w*\s*\(|__Pyx_\w+\s*\(")
    # Refcount contexts are empty macros, and unlikely() is a compiler's hint.
    harmless = {"__Pyx_RefNannyDeclarations", "__Pyx_RefNannySetupContext", "__Pyx_RefNannyFinishContext"}
    guilty = {
        name: sorted(calls)
        for name, body in functions.items()
        if (calls := {call.rstrip("( ") for call in python.findall(body)} - harmless)
    }
    assert guilty == {}


@pytest.mark.slow
def test_the_annotated_listing_shows_no_python_in_the_entry_points(generated: Path) -> None:
    html = (generated / "_fast.html").read_text()
    listed = re.findall(r'<pre class="cython line score-(\d+)".*?<span class="">(\d+)</span>', html)
    scores = {int(number): int(score) for score, number in listed}
    source = (PACKAGE / "_fast.pyx").read_text().splitlines()
    hot = []
    inside = False
    for number, line in enumerate(source, 1):
        if line and not line[0].isspace():
            inside = any(f'"{name}"(' in line for name in HOT)
        if inside and line.strip():
            hot.append(number)
    assert len(hot) >= 2 * len(HOT)
    assert {number: scores[number] for number in hot if scores[number] != 0} == {}
    assert max(scores.values()) > 20  # the Python face, so the scores mean something


def test_requests_are_numbered_as_the_alphabet_numbers_them() -> None:
    text = (CORE / "dispatch.pxd").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"^    ([A-Z_]+) = (\d+)$", text, re.M)}
    assert numbers == {name: int(Function[name]) for name in numbers}
    assert len(numbers) == 15


@pytest.mark.parametrize("path", sorted(CORE.glob("*.pxd")), ids=lambda path: path.name)
def test_layers_import_only_from_below(path: Path) -> None:
    if path.name == "__init__.pxd":
        return
    imported = re.findall(r"^from m4alloc\._core\.(\w+) cimport", path.read_text(), re.M)
    below = LAYERS[: LAYERS.index(path.stem)]
    assert [name for name in imported if name not in below] == []


def test_a_record_fills_two_cache_lines_and_a_bin_one() -> None:
    types = (CORE / "types.pxd").read_text()
    sizes = {"uint64_t ": 8, "uint32_t ": 4, "uint16_t ": 2, "uint8_t ": 1}
    for struct, expected in (("Record", 128), ("Bin", 64)):
        body = re.search(rf'cdef struct {struct} "m4_\w+":.*\n((?:    .*\n|\n)+)', types)
        assert body
        total = 0
        for kind, _name, count in re.findall(r"^    (\w+ \*?)(\w+)(?:\[(\d+)\])?", body.group(1), re.M):
            total += (8 if kind.endswith("*") else sizes[kind]) * int(count or 1)
        assert total == expected, struct
