"""Every construct of C that touches the heap is told to the runtime, by both kinds of hooks and both compilers."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import pytest

from tests.m4alloc.monitor.hooked import HOOKS, PACKAGE, Told, compiled, covered, ran, told, words_for
from tests.m4alloc.native import need

KINDS = ("kernel-address", "thread")
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os", "-O2 -D_FORTIFY_SOURCE=2")
BETWEEN = {"-O1", "-O3", "-Os"}
"""Levels at which the code differs little from that at another, left to the campaign."""
EXPECTED = {
    # construct: bytes read, bytes written
    "load_1": ((0, 1), None),
    "load_2": ((2, 2), None),
    "load_4": ((4, 4), None),
    "load_8": ((8, 8), None),
    "store_1": (None, (3, 1)),
    "store_2": (None, (0, 2)),
    "store_4": (None, (4, 4)),
    "store_8": (None, (0, 8)),
    "store_float": (None, (4, 4)),
    "store_double": (None, (8, 8)),
    "load_wide": ((16, 16), None),
    "volatile_load": ((0, 4), None),
    "volatile_store": (None, (0, 4)),
    "packed_store": (None, (5, 4)),
    "packed_load": ((9, 8), None),
    "struct_copy": ((0, 40), (64, 40)),
    "struct_zero": (None, (0, 40)),
    "memcpy_1": ((0, 1), (8, 1)),
    "memcpy_4": ((0, 4), (9, 4)),
    "memcpy_8": ((0, 8), (65, 8)),
    "memcpy_16": ((0, 16), (64, 16)),
    "memcpy_24": ((0, 24), (64, 24)),
    "memcpy_64": ((0, 64), (64, 64)),
    "memcpy_n": ((0, 64), (64, 64)),
    "memmove_24": ((0, 24), (8, 24)),
    "memset_4": (None, (0, 4)),
    "memset_24": (None, (0, 24)),
    "memset_128": (None, (0, 128)),
    "strlen_any": ((240, 16), None),
    "strcmp_literal": ((65, 4), None),
    "strncmp_literal": ((65, 3), None),
    "strcpy_literal": (None, (8, 11)),
    "strcpy_7": (None, (8, 8)),
    "atomic_load_8": ((0, 1), None),
    "atomic_load_64": ((0, 8), None),
    "atomic_store_16": (None, (0, 2)),
    "atomic_store_32": (None, (4, 4)),
    "atomic_add_32": (None, (0, 4)),
    "atomic_exchange_64": (None, (0, 8)),
    "sync_add_64": (None, (0, 8)),
    "compare_exchange_32": (None, (0, 4)),
    "loop": ((0, 128), None),
    "loop_store": (None, (0, 128)),
    "stack_only": (None, None),
    "vla_only": (None, None),
    "globals_only": (None, None),
}
ELSEWHERE = {
    "increment",
    "bitfield_store",
    "bitfield_load",
    "long_double",
    "memcmp_8",
    "memcmp_24",
    "mempcpy_24",
    "strlen_is_0",
}
"""Constructs with a test of their own."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hooks")


@functools.cache
def program(folder: Path, compiler: str, hooks: str, level: str) -> Path:
    target = folder / f"constructs-{compiler}-{hooks}-{level.replace(' ', '')}"
    flags = ["-Wall", "-Wextra", "-Werror", f"--hooks={hooks}", *level.split()]
    compiled(words_for(folder, "c", *flags, HOOKS / "constructs.c", "-o", target, compiler=compiler))
    return target


@functools.cache
def accesses(folder: Path, compiler: str, hooks: str, level: str) -> dict[str, list[Told]]:
    """What was told, by construct."""
    found: dict[str, list[Told]] = {}
    construct = ""
    for line in ran(program(folder, compiler, hooks, level)).out.splitlines():
        if re.fullmatch(r"\w+", line):
            construct = line
            found[construct] = []
        else:
            found[construct].append(told(line))
    return found


def bytes_of(part: tuple[int, int] | None) -> set[int]:
    return set(range(part[0], part[0] + part[1])) if part else set()


def ends(part: set[int]) -> set[int]:
    return {min(part), max(part)} if part else set()


every_build = pytest.mark.parametrize(
    ("compiler", "hooks", "level"),
    [
        pytest.param(compiler, hooks, level, marks=[pytest.mark.campaign] if level in BETWEEN else [])
        for compiler in ("gcc", "clang")
        for hooks in KINDS
        for level in LEVELS
    ],
)


@pytest.mark.slow
@every_build
def test_what_a_construct_touches_is_told_and_nothing_else(folder: Path, compiler: str, hooks: str, level: str) -> None:
    found = accesses(folder, compiler, hooks, level)
    assert set(found) == {*EXPECTED, *ELSEWHERE}
    for construct, (read, written) in EXPECTED.items():
        for write, part in ((False, bytes_of(read)), (True, bytes_of(written))):
            seen = covered(found[construct], write=write)
            # Clang's own check of what is not aligned, or wide, is one of its first and of its last byte.
            by_ends = compiler == "clang" and hooks == "kernel-address" and seen != part
            assert ends(part) <= seen <= part if by_ends else seen == part, f"{construct}: {found[construct]}"


@pytest.mark.slow
@every_build
def test_every_access_comes_with_its_code_and_a_frame(folder: Path, compiler: str, hooks: str, level: str) -> None:
    every = [one for construct in accesses(folder, compiler, hooks, level).values() for one in construct]
    assert len(every) > 60
    assert all(one.framed for one in every)


@every_build
def test_comparing_memory_for_equality_is_told(folder: Path, compiler: str, hooks: str, level: str) -> None:
    found = accesses(folder, compiler, hooks, level)
    for construct, size in (("memcmp_8", 8), ("memcmp_24", 24)):
        assert covered(found[construct], write=False) == {*range(size), *range(64, 64 + size)}


@every_build
def test_reading_and_writing_a_word_is_told_twice_by_thread_and_once_by_kernel_address(
    folder: Path, compiler: str, hooks: str, level: str
) -> None:
    increment = [str(one) for one in accesses(folder, compiler, hooks, level)["increment"]]
    assert increment == (["r8@0", "w8@0"] if hooks == "thread" else ["r8@0"])


@every_build
def test_parts_of_a_word_are_told(folder: Path, compiler: str, hooks: str, level: str) -> None:
    found = accesses(folder, compiler, hooks, level)
    assert 0 in covered(found["bitfield_load"], write=False)
    stored = found["bitfield_store"]
    assert {0, 1} == covered(stored, write=True) | covered(stored, write=False)
    assert 8 in covered(found["strlen_is_0"], write=False)
    assert covered(found["mempcpy_24"], write=True) >= ends(set(range(64, 88)))


@every_build
def test_a_long_double_is_told_but_by_clangs_thread_hooks(folder: Path, compiler: str, hooks: str, level: str) -> None:
    written = covered(accesses(folder, compiler, hooks, level)["long_double"], write=True)
    if compiler == "clang" and hooks == "thread":
        assert written == set()
    else:
        assert {16, 25} <= written <= set(range(16, 32))


@every_build
def test_atomic_operations_do_what_they_are(folder: Path, compiler: str, hooks: str, level: str) -> None:
    assert ran(program(folder, compiler, hooks, level), "operations").out == "operations held\n"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_thread_hooks_carry_out_atomic_operations_of_16_bytes(folder: Path, compiler: str) -> None:
    target = folder / f"wide-{compiler}"
    flags = ["--hooks=thread", "-O2", "-DWIDE", "-mcx16"]
    compiled(words_for(folder, "c", *flags, HOOKS / "constructs.c", "-o", target, compiler=compiler))
    assert ran(target, "operations").out == "operations held\n"


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("hooks", KINDS)
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O2 -flto"])
def test_cplusplus_is_told_of_and_starts_before_constructors(
    folder: Path, compiler: str, hooks: str, level: str
) -> None:
    target = folder / f"objects-{compiler}-{hooks}-{level.replace(' ', '')}"
    flags = [f"--hooks={hooks}", *level.split(), "-Wall", "-Wextra", "-Werror"]
    compiled(words_for(folder, "c++", *flags, HOOKS / "objects.cc", "-o", target, compiler=compiler))
    lines = ran(target).out.splitlines()
    assert lines[:3] == ["started 1", "caught", "value 7"]
    found = [told(line) for line in lines[3:]]
    assert covered(found, write=True) >= {*range(8), *range(8, 12)}  # the table of virtual functions, and the number


def test_a_hook_that_finds_nothing_is_five_instructions(folder: Path) -> None:
    target = folder / "hooks.o"
    flags = ["-std=gnu17", "-O3", "-fPIC", "-fno-builtin", "-fvisibility=hidden", f"-I{PACKAGE}"]
    compiled([need("gcc", "gcc libc6-dev"), *flags, "-c", str(PACKAGE / "monitor_hooks.c"), "-o", str(target)])
    listing = subprocess.run(
        [need("objdump", "binutils"), "-d", "--no-show-raw-insn", str(target)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("__tsan_read1", "__tsan_read8", "__tsan_write4", "__tsan_write16"):
        body = listing.partition(f"<{name}>:\n")[2].partition("\n\n")[0].splitlines()
        instructions = [line.split("\t")[1].split()[0] for line in body if "\t" in line]
        upto = instructions[: instructions.index("ret") + 1] if "ret" in instructions else instructions
        if "endbr64" in upto:
            upto.remove("endbr64")
        assert len(upto) == 5, (name, body)
