"""The core inside a program built with a sanitizer: no data race, no bad address, no undefined behaviour in a soak.

The soak (tests/preload/soak.c) is compiled together with the core, whose functions take the places of malloc and free
(tests/preload/sanitized.c). Races that are by design are relaxed atomics in the core: nothing is suppressed.
"""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from m4alloc import _build
from m4alloc.strategy import Strategy
from tests.m4alloc.native import CORES, PRELOAD, Ran, need, run

pytestmark = pytest.mark.campaign

THREAD = ("-fsanitize=thread",)
ADDRESS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
STRATEGIES = {
    "default": "",
    "hardened": Strategy.hardened().to_environment(),
    "sampled": Strategy.sampled().with_(sample_rate=100).to_environment(),
    "middle classes": "classes=16/256/4096/36864/131072/1048576,stack_depths=2/3/2/2/2/2,placement=1,prefault=65536",
    "small stacks": "delay_line=1,stack_depth=16,stack_bytes=65536,refill_batch=1,retain_bytes=0",
    "long slabs": "slab_bytes=" + "/".join(["8388608"] * 40),  # which have marks
}
OPTIONS = {
    "M4ALLOC_RESERVE": str(256 << 20),  # a sanitizer shadows every byte that is mapped
    "ASAN_OPTIONS": "detect_leaks=0",
}
SECONDS = float(os.environ.get("M4ALLOC_SOAK_SECONDS", "5"))


def build(target: Path, sanitizer: tuple[str, ...], *flags: str) -> Path:
    """Compile the soak with the core in it. Its calls of Python's functions stay unresolved, for nothing makes them."""
    words = [need("gcc", "gcc libc6-dev"), "-std=gnu17", "-O1", "-g", "-fno-builtin", "-pthread", "-w", *flags]
    words += [f"-I{sysconfig.get_path('include')}", f"-I{_build.generate('_fast').parent}", f"-I{PRELOAD}"]
    words += ["-DCYTHON_INLINE=", "-ffunction-sections", "-fdata-sections", "-fno-pie", "-no-pie", *sanitizer]
    words += [str(PRELOAD / "sanitized.c"), "-Wl,--gc-sections", "-Wl,--unresolved-symbols=ignore-all", "-ldl"]
    done = subprocess.run([*words, "-o", str(target)], capture_output=True, text=True, check=False)
    if re.search(r"cannot find \S*(tsan|asan|ubsan)", done.stderr):
        pytest.skip("the compiler has no sanitizers: apt install libgcc-12-dev")
    assert done.returncode == 0, done.stderr
    return target


def soak(program: Path, strategy: str = "") -> Ran:
    """Run it for SECONDS at fixed addresses: older versions of ThreadSanitizer stop where too many bits are random."""
    fixed = (
        ["setarch", "-R"]
        if shutil.which("setarch") and run(["setarch", "-R", "true"], preload=False).status == 0
        else []
    )
    environment = OPTIONS | {"M4ALLOC_STRATEGY": strategy}
    argv: list[str | Path] = [*fixed, program, str(CORES + 1), str(SECONDS), "1"]
    return run(argv, preload=False, environment=environment, timeout=20 * SECONDS + 60)


@pytest.fixture(scope="module")
def for_threads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("thread") / "soak", THREAD)


@pytest.fixture(scope="module")
def for_addresses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("address") / "soak", ADDRESS)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_no_two_threads_race_in_the_core_or_on_a_block_that_was_freed_and_reused(
    for_threads: Path, strategy: str
) -> None:
    ran = soak(for_threads, strategy)
    assert (ran.status, ran.err) == (0, ""), ran


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_no_address_is_wrong_and_no_behaviour_undefined(for_addresses: Path, strategy: str) -> None:
    ran = soak(for_addresses, strategy)
    assert (ran.status, ran.err) == (0, ""), ran


def test_atomics_that_order_nothing_are_seen(tmp_path: Path) -> None:
    relaxed = ("-U__ATOMIC_ACQ_REL", "-D__ATOMIC_ACQ_REL=__ATOMIC_RELAXED")
    ran = soak(build(tmp_path / "relaxed", THREAD, *relaxed))
    assert ran.status == 66 and "WARNING: ThreadSanitizer: data race" in ran.err, ran
