"""libm4alloc.so needs only libc, and exports what its version script says and nothing else."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.m4alloc.native import ROOT, library, need

C = """
malloc calloc realloc reallocarray free aligned_alloc memalign posix_memalign valloc pvalloc malloc_usable_size
malloc_trim mallinfo mallinfo2 free_sized free_aligned_sized m4alloc_info m4alloc_misuses m4alloc_refusals m4alloc_stats
"""
NOTHROW, ALIGNED = "RKSt9nothrow_t", "St11align_val_t"
NEW = {f"_Zn{kind}m{rest}" for kind in "wa" for rest in ("", NOTHROW, ALIGNED, ALIGNED + NOTHROW)}
DELETE = {
    f"_Zd{kind}Pv{rest}" for kind in "la" for rest in ("", "m", NOTHROW, ALIGNED, "m" + ALIGNED, ALIGNED + NOTHROW)
}

pytestmark = pytest.mark.skipif(not Path(library()).is_file(), reason="M4ALLOC_TEST_LIBRARY is not a file")


def output(*words: str) -> str:
    need(words[0], "binutils")
    return subprocess.run([*words, library()], capture_output=True, text=True, check=True).stdout


def exported() -> set[str]:
    return {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only").splitlines()}


def undefined() -> list[tuple[str, str]]:
    """Kind (`U` or weak `w`) and name of every symbol the library looks for elsewhere."""
    lines = [line.split() for line in output("nm", "-D", "--undefined-only").splitlines()]
    return [(kind, name) for kind, name in lines]


def test_every_strong_undefined_symbol_is_of_libc() -> None:
    foreign = [name for kind, name in undefined() if kind == "U" and "@GLIBC_" not in name]
    assert foreign == []
    assert undefined(), "nm showed nothing at all"


def test_no_symbol_of_python_is_left() -> None:
    named = exported() | {name for _, name in undefined()}
    assert [name for name in named if re.match(r"_?Py|__pyx|__Pyx", name)] == []


def test_only_libc_is_needed() -> None:
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW")))
    assert "libc.so.6" in needed
    assert {name for name in needed if not name.startswith("ld-linux")} == {"libc.so.6"}


def test_the_library_exports_the_whole_family() -> None:
    assert {*C.split(), *NEW, *DELETE} - exported() == set()


def test_what_is_exported_is_what_the_version_script_lists() -> None:
    script = re.sub(r"/\*.*?\*/|#[^\n]*", "", (ROOT / "m4alloc" / "preload.map").read_text(), flags=re.DOTALL)
    public = re.search(r"global:(.*?)local:", script, re.DOTALL)
    assert public is not None
    listed = {name for name in re.findall(r'[\w*?"]+', public[1]) if name != "extern"}
    assert not any("*" in name for name in listed), "the list names each symbol"
    assert {name for name in exported() if not re.fullmatch(r"[A-Z]\w*_[\d.]+", name)} == listed


def test_no_memory_is_both_writable_and_executable() -> None:
    segments = re.findall(r"^\s+(LOAD|GNU_STACK)\s.*?\s([R ][W ][E ])\s", output("readelf", "-lW"), re.MULTILINE)
    assert {kind for kind, _ in segments} == {"LOAD", "GNU_STACK"}
    assert [flags for _, flags in segments if "W" in flags and "E" in flags] == []


def test_thread_local_storage_is_one_pointer() -> None:
    found = re.search(r"^\s+TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", output("readelf", "-lW"), re.MULTILINE)
    assert found is not None and int(found[1], 16) <= 64, "a large initial-exec block cannot be loaded late"


def test_the_library_is_small() -> None:
    assert Path(library()).stat().st_size < 400_000
