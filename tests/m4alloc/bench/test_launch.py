"""One run: its time, its memory and its end are the program's own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from m4alloc.bench.launch import Launcher
from m4alloc.bench.peer import Peer

GLIBC = Peer("glibc", "")


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    return Launcher(tmp_path_factory.mktemp("runs"))


def test_a_run_knows_what_it_took(launcher: Launcher) -> None:
    code = "x = bytearray(40_000_000)\nfor i in range(200_000): pass\nprint('hello', flush=True)"
    run = launcher.run([sys.executable, "-ISc", code], GLIBC, period=0.001)
    assert (run.status, run.output, run.ended()) == (0, b"hello\n", "")
    assert run.user >= 0 and run.system >= 0 and run.cpu > 0 and run.wall > 0
    assert 40_000_000 < run.peak < 120_000_000
    assert max(size for _, size in run.samples) < run.peak + 1_000_000  # the kernel counts pages in batches
    assert [at for at, _ in run.samples] == sorted(at for at, _ in run.samples)


def test_the_peak_is_not_the_starters(launcher: Launcher) -> None:
    large = bytearray(60_000_000)
    assert launcher.run(["/bin/true"], GLIBC).peak < 20_000_000 < len(large)


def test_how_it_ended_is_told(launcher: Launcher) -> None:
    killed = launcher.run(["/bin/sh", "-c", "echo oh dear >&2; kill -SEGV $$"], GLIBC)
    assert killed.status == -signal.SIGSEGV and killed.ended() == "ended with SIGSEGV: oh dear"
    assert launcher.run(["/bin/sh", "-c", "exit 7"], GLIBC).ended() == "ended with status 7"
    late = launcher.run(["/bin/sleep", "50"], GLIBC, timeout=0.05)
    assert late.timed_out and late.ended() == "did not end within 0 s"
    assert (
        launcher.run(["/no/such/program"], GLIBC).ended()
        == "ended with status 127: /no/such/program: No such file or directory"
    )


def test_copies_run_at_once_and_their_times_add_up(launcher: Launcher) -> None:
    one = launcher.run(["/bin/sh", "-c", "sleep 0.05; echo $$"], GLIBC, copies=3)
    assert one.status == 0 and len(one.output.split()) == 1
    assert one.wall >= 0.05  # all slept at the same time, so this is no sum
    bad = launcher.run(["/bin/sh", "-c", "exit 9"], GLIBC, copies=3)
    assert bad.status == 9


def test_nothing_of_the_users_environment_changes_the_malloc(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LD_PRELOAD", "MALLOC_CONF", "MIMALLOC_VERBOSE", "GLIBC_TUNABLES", "M4ALLOC_STRATEGY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/kept/too")
    peer = Peer("mine", "", "guards=1")
    lines = launcher.run(["/usr/bin/env"], peer).output.decode().split("\n")
    names = {line.partition("=")[0] for line in lines}
    assert {"KEPT", "LD_LIBRARY_PATH"} <= names and "M4ALLOC_STRATEGY=guards=1" in lines
    assert not names & {"LD_PRELOAD", "MALLOC_CONF", "MIMALLOC_VERBOSE", "GLIBC_TUNABLES"}


def test_a_run_leaves_nothing_behind(launcher: Launcher) -> None:
    launcher.run(["/bin/true"], GLIBC)
    assert list(Path(launcher.folder).iterdir()) == []
