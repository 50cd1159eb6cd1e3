"""Memory goes back to the system; under limits and strict commitment malloc works or fails with ENOMEM."""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.m4alloc.native import MIB, PRELOAD, assert_holds, build, checks, run

LIMITS = PRELOAD / "limits.c"
LOWERED = [name for name in checks(LIMITS) if "limit_to" in name or "limit_b" in name or "after_" in name]


@pytest.mark.parametrize("check", checks(PRELOAD / "memory.c"))
def test_memory(check: str) -> None:
    assert_holds(PRELOAD / "memory.c", check)


@pytest.mark.parametrize("mebibytes", [64, 128, 256, 512, 1024, 2048])
@pytest.mark.parametrize(
    "check", ["a_quarter_of_the_limit_can_be_had_in_any_size", "a_program_may_map_half_of_the_limit_itself"]
)
def test_under_an_address_space_limit(check: str, mebibytes: int) -> None:
    assert_holds(LIMITS, check, limits={resource.RLIMIT_AS: mebibytes * MIB, resource.RLIMIT_STACK: MIB})


@pytest.mark.parametrize("check", LOWERED)
def test_after_the_program_lowered_its_own_limit(check: str) -> None:
    assert_holds(LIMITS, check)


def test_a_program_which_limits_itself_to_one_gibibyte_can_use_half_of_it() -> None:
    assert_holds(LIMITS, "a_program_which_limits_itself_to_one_gibibyte_can_use_half_of_it")


@pytest.mark.parametrize("mebibytes", [64, 200, 1000, 3000])
def test_python_starts_and_reports_memory_error_under_a_limit(mebibytes: int) -> None:
    program = "try:\n bytearray(1 << 33)\nexcept MemoryError:\n print('MemoryError', len(bytearray(1 << 22)))"
    environment = {"PYTHONMALLOC": "malloc"}
    ran = run([sys.executable, "-c", program], environment=environment, limits={resource.RLIMIT_AS: mebibytes * MIB})
    assert (ran.status, ran.out, ran.err) == (0, "MemoryError 4194304\n", ""), ran


COMMITMENT = Path("/proc/sys/vm/overcommit_memory")
RESTORE = """
import os, sys
os.read(0, 1)
open(sys.argv[1], "w").write(sys.argv[2])
"""


@contextlib.contextmanager
def strict_commitment() -> Iterator[None]:
    """vm.overcommit_memory = 2 for the block; a process of its own restores it, also when this one is killed."""
    before = COMMITMENT.read_text().strip()
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    kibibytes = {name: int(value.split()[0]) for name, value in facts.items()}
    if not os.access(COMMITMENT, os.W_OK):
        pytest.skip(f"{COMMITMENT} cannot be written here")
    if kibibytes["CommitLimit"] - kibibytes["Committed_AS"] < 4 << 20:
        pytest.skip("less than 4 GiB left to commit: other programs would suffer")
    with subprocess.Popen(
        [sys.executable, "-c", RESTORE, str(COMMITMENT), before], stdin=subprocess.PIPE, start_new_session=True
    ) as guard:
        try:
            COMMITMENT.write_text("2")
            yield
        finally:
            guard.communicate(b"", timeout=30)
    assert COMMITMENT.read_text().strip() == before


@pytest.mark.campaign
def test_with_strict_commitment_of_memory() -> None:
    build(LIMITS)
    with strict_commitment():
        assert_holds(LIMITS, "half_a_gibibyte_can_be_had_when_memory_is_committed_strictly", timeout=60)
