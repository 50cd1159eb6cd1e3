"""The worked example: the C of examples/dot, before and after, proved equal and run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from m4alloc.superopt import source
from m4alloc.superopt.idioms_prove import plain
from m4alloc.superopt.idioms_sums import refines
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.toolchain import optimise

ROOT = Path(__file__).parents[3]
DOT = ROOT / "examples" / "dot"
NAMES = ("sum_q8", "sum_q4", "four_q8", "four_q4")
NEVER = {"y": tuple(byte for byte in range(256) if byte != 128)}

pytestmark = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")


@cache
def function(file: str, name: str, march: str, *flags: str) -> Function:
    """A function of the example, its loops written out."""
    module = source.read(DOT / file, name, flags=("-DALONE", f"-march={march}", *flags))
    return plain(module.function(name), 64)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "march"),
    [("sum_q8", "x86-64-v3"), ("sum_q4", "x86-64-v3"), ("sum_q8", "x86-64"), ("sum_q4", "x86-64")]
    + [
        pytest.param(name, march, marks=pytest.mark.campaign)
        for name in ("four_q8", "four_q4")
        for march in ("x86-64", "x86-64-v3")
    ],
)
def test_the_rewritten_c_refines_the_plain_c(name: str, march: str) -> None:
    verdict = refines(function("before.c", name, march), function("after.c", name, march))
    assert verdict.accepted, verdict.reason


@pytest.mark.parametrize("name", ["sum_q8", pytest.param("four_q8", marks=pytest.mark.campaign)])
def test_signs_are_proved_where_minus_128_never_occurs_and_refuted_where_it_may(name: str) -> None:
    before = function("before.c", name, "x86-64-v3")
    after = function("after.c", name, "x86-64-v3", "-DNEVER_MINUS_128")
    assert refines(before, after, NEVER).accepted
    assert refines(before, after).exit_status == 1


@pytest.mark.parametrize("name", [*NAMES[:2], *(pytest.param(name, marks=pytest.mark.campaign) for name in NAMES[2:])])
def test_it_refines_what_llvm_makes_of_the_plain_c_too(name: str) -> None:
    """The vectorised code of -O3 is another start of the same proof."""
    vectorised = parse_function(optimise(print_function(function("before.c", name, "x86-64-v3")), 3, "x86-64-v3"))
    assert refines(vectorised, function("after.c", name, "x86-64-v3")).accepted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("set1_epi8(8)", "set1_epi8(7)"),
        *(
            pytest.param(old, new, marks=pytest.mark.campaign)
            for old, new in (
                ("set1_epi8(15)", "set1_epi8(31)"),
                ("(bytes, 4)", "(bytes, 3)"),
                ("_mm256_sub_epi16", "_mm256_add_epi16"),
                ("maddubs_epi16(q, v)", "maddubs_epi16(v, q)"),
            )
        ),
    ],
)
def test_a_slip_in_the_rewritten_c_is_refuted(old: str, new: str, tmp_path: Path) -> None:
    text = (DOT / "after.c").read_text()
    assert old in text
    shutil.copy(DOT / "blocks.h", tmp_path)
    shutil.copy(DOT / "strides.h", tmp_path)
    (tmp_path / "after.c").write_text(text.replace(old, new))
    module = source.read(tmp_path / "after.c", "sum_q4", flags=("-DALONE", "-march=x86-64-v3"))
    verdict = refines(function("before.c", "sum_q4", "x86-64-v3"), module.function("sum_q4"))
    assert not verdict.accepted


CHILD = """
import ctypes, random, sys
before, after = (ctypes.CDLL(path) for path in sys.argv[1:])
filling = random.Random(1)
for kernel, size in (("dot_q8", 36), ("dot_q4", 20)):
    calls = [getattr(library, kernel) for library in (before, after)]
    for call in calls:
        call.restype, call.argtypes = ctypes.c_float, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    for blocks in range(40):
        def rows(width, extreme):
            made = b""
            for _ in range(blocks):
                scale = ctypes.c_float(filling.uniform(-1, 1))
                same = bytes([filling.choice([0, 127, 128, 255])] * (width - 4))
                made += bytes(scale) + (same if extreme else filling.randbytes(width - 4))
            return made
        for extreme in (False, True):
            x, y = rows(size, extreme), rows(36, extreme)
            found = {bytes(ctypes.c_float(call(x, y, blocks))) for call in calls}
            assert len(found) == 1, (kernel, blocks, extreme)
"""


@pytest.mark.parametrize("march", [pytest.param("x86-64", marks=pytest.mark.campaign), "x86-64-v3"])
def test_the_whole_kernels_agree_bit_by_bit(march: str, tmp_path: Path) -> None:
    """Floats included, for 0 to 39 blocks, the extremes of every byte too."""
    if march == "x86-64-v3" and "avx2" not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip("the processor has no AVX2")
    libraries = []
    for name in ("before", "after"):
        libraries.append(str(tmp_path / f"{name}.so"))
        words = ["clang", "-O3", "-ffp-contract=off", f"-march={march}", "-shared", "-fPIC"]
        subprocess.run([*words, str(DOT / f"{name}.c"), "-o", libraries[-1]], check=True)
    subprocess.run([sys.executable, "-c", CHILD, *libraries], check=True)


@pytest.mark.campaign
def test_on_capability_memory_both_give_the_same_sums_and_stop_at_the_same_bound() -> None:
    done = subprocess.run(
        [sys.executable, str(DOT / "morello.py")], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].partition("sums")[2] == lines[2].partition("sums")[2] != ""
    assert all("0x10090" in line and line.endswith("LENGTH") for line in (lines[1], lines[3]))
