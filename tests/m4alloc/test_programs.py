"""Unmodified programs print the same, to the byte, on our malloc as on the system's."""

from pathlib import Path

import pytest

from benchmarks.workload import ENVIRONMENT, WORKLOADS, Workload
from tests.m4alloc.native import Ran, library, run


def execute(workload: Workload, directory: Path, *, preload: bool) -> Ran:
    argv = workload.command(directory, workload.short)
    environment = {**ENVIRONMENT, **workload.environment, "HOME": str(directory)}
    return run(argv, preload=preload, environment=environment, directory=directory, timeout=100)


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name.replace(" ", "-"))
def test_a_program_prints_the_same_on_our_malloc(workload: Workload, tmp_path: Path) -> None:
    reason = workload.missing()
    if reason is not None:
        pytest.skip(reason)
    expected = execute(workload, tmp_path / "system", preload=False)
    seen = execute(workload, tmp_path / "ours", preload=True)
    assert expected.status in {0, 2} and expected.out, f"the program fails without us too: {expected}"
    assert (seen.status, seen.err) == (expected.status, expected.err), seen
    assert seen.out == expected.out


def test_a_child_of_a_preloaded_shell_runs_on_our_malloc() -> None:
    if not library():
        pytest.skip("the system's malloc is not preloaded")
    name = Path(library()).name
    ran = run(["sh", "-c", "grep -c libm4alloc /proc/self/maps; true".replace("libm4alloc", name)])
    assert int(ran.out) >= 2, ran
