"""Settings of other allocators: they follow from the recording, and every one of them is known to its allocator."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.bench.peer import Peer, peers
from m4alloc.tune.advise import Advice, Features, Goal, advise, advised_peers, text
from m4alloc.tune.advise_features import depth_of, held
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.made_up import Call, workload

PEERS = {peer.name: peer for peer in peers()[0]}
EVERYTHING = Features(
    threads=4,
    live=500 << 20,
    hot=(64, 4096),
    depth=3000,
    cached=40 << 20,
    middle=1000,
    large=900,
    large_live=400 << 20,
    largest=20 << 20,
    reused=12.0,
    idle_ms=5,
)
QUIET = Features(threads=1, live=1 << 20, hot=(64,), depth=3, cached=192)


def allocations(size: int, blocks: Sequence[int]) -> list[Call]:
    return [(Kind.ALLOCATE, block, size) for block in blocks]


def frees(blocks: Sequence[int]) -> list[Call]:
    return [(Kind.FREE, block, 0) for block in blocks]


@st.composite
def histories(draw: st.DrawFn) -> Workload:
    """Calls that a program could make."""
    live: dict[int, int] = {}
    calls: list[Call] = []
    for _ in range(draw(st.integers(0, 30))):
        kind = draw(st.sampled_from(list(Kind) if live else [Kind.ALLOCATE]))
        size = draw(st.integers(0, 64)) if kind != Kind.FREE else 0
        block = draw(st.sampled_from(sorted(live))) if live and kind != Kind.ALLOCATE else 0
        block = block or next(number for number in range(1, 40) if number not in live)
        calls.append((kind, block, size))
        live[block] = size
        if kind == Kind.FREE:
            del live[block]
    return workload(calls, [draw(st.integers(0, 1)) for _ in calls])


# What a recording says.


@given(histories())
def test_what_a_block_has_before_and_after_a_call_is_what_a_walk_finds(history: Workload) -> None:
    now, before = held(history)
    sizes: dict[int, int] = {}
    for at, (kind, block, size) in enumerate(zip(history.kind, history.block, history.size, strict=True)):
        assert before[at] == sizes.get(int(block), 0)
        sizes[int(block)] = 0 if kind == Kind.FREE else int(size)
        assert now[at] == sizes[int(block)]


@given(histories(), st.sampled_from([16, 32, 48, 64]))
def test_the_depth_is_the_least_with_which_no_needed_block_is_thrown_away(history: Workload, size: int) -> None:
    now, before = held(history)

    def misses(depth: int) -> int:
        """Of a stack a thread that keeps so many and takes from elsewhere when it is empty."""
        stacks, missed = {0: 0, 1: 0}, 0
        for at, thread in enumerate(map(int, history.thread)):
            step = int(size - 16 < now[at] <= size) - int(size - 16 < before[at] <= size)
            missed += step == 1 and stacks[thread] == 0
            stacks[thread] = min(depth, max(0, stacks[thread] - step))
        return missed

    found = depth_of(history.thread, now, before, size)
    assert misses(found) == misses(1000)
    assert found == 0 or misses(found - 1) > misses(found)


def test_the_numbers_are_those_of_the_recording() -> None:
    calls = [
        *(*allocations(60, range(1, 101)), *frees(range(1, 81)), *allocations(64, range(1, 51))),
        *((Kind.ALLOCATE, 200, 1 << 20), (Kind.RESIZE, 200, 2 << 20), (Kind.FREE, 200, 0)),
        *((Kind.ALLOCATE, 200, 2 << 20), (Kind.ALLOCATE, 201, 40_000), (Kind.FREE, 200, 0)),
    ]
    found = Features.of(workload(calls, times=[0] * (len(calls) - 1) + [70]))
    assert found == Features(
        threads=1,
        live=20 * 60 + 50 * 64 + (2 << 20) + 40_000,
        hot=(64,),
        depth=50,
        cached=50 * 64,
        middle=4,
        large=3,
        large_live=2 << 20,
        largest=2 << 20,
        reused=1.0,
        idle_ms=70,
    )


def test_an_empty_recording_asks_for_nothing() -> None:
    found = Features.of(workload([]))
    assert found == Features(threads=0, live=0)
    assert not any(one.variables for one in advise(found))


# What is advised.


def settings(advice: Sequence[Advice]) -> dict[str, str]:
    return {one.allocator: " ".join(f"{name}={value}" for name, value in one.variables) for one in advice}


def test_a_program_that_uses_large_memory_over_and_over_is_to_keep_it() -> None:
    found = settings(advise(EVERYTHING))
    assert found["glibc"] == (
        "GLIBC_TUNABLES=glibc.malloc.tcache_count=3000:glibc.malloc.mmap_threshold=33554432:"
        "glibc.malloc.trim_threshold=1073741824"
    )
    assert found["jemalloc"] == (
        "MALLOC_CONF=narenas:4,tcache_nslots_small_min:4096,tcache_nslots_small_max:4096,tcache_max:8388608,"
        "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0"
    )
    assert found["mimalloc"] == ("MIMALLOC_RESERVE_OS_MEMORY=800MiB MIMALLOC_ALLOW_DECOMMIT=0 MIMALLOC_PURGE_DELAY=-1")
    assert found["tcmalloc"] == "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES=134217728 TCMALLOC_RELEASE_RATE=0"


def test_a_quiet_program_is_left_alone() -> None:
    assert settings(advise(QUIET)) == {"glibc": "", "jemalloc": "MALLOC_CONF=narenas:1", "mimalloc": "", "tcmalloc": ""}


def test_every_setting_has_its_reason_and_every_allocator_says_what_it_lacks() -> None:
    for features in (EVERYTHING, QUIET):
        for goal in ("time", "memory"):
            for one in advise(features, goal=goal):
                told = " ".join(one.why)
                for _, value in one.variables:
                    for name in re.findall(r"([a-z_]+)[:=]", value.replace("glibc.malloc.", "")):
                        assert name in told
                assert one.absent and bool(one.variables) == bool(one.why)
                assert text([one]).startswith(f"{one.allocator}: ")


def test_the_advice_is_a_peer_of_its_own_where_there_is_any() -> None:
    found = advised_peers([Peer("glibc", ""), Peer("mimalloc", "/m.so")], advise(QUIET))
    assert found == []
    (one,) = advised_peers([Peer("jemalloc", "/j.so")], advise(QUIET))
    assert one.name == "jemalloc:tuned"
    assert one.variables() == {"LD_PRELOAD": "/j.so", "MALLOC_CONF": "narenas:1"}


# What the allocators say to it.


def accepted(name: str, **more: str) -> list[subprocess.CompletedProcess[str]]:
    """A program run with everything that is ever advised to an allocator."""
    if name not in PEERS:
        pytest.skip(f"needs {name}")
    goals: tuple[Goal, ...] = ("time", "memory")
    runs = []
    for goal in goals:
        (advice,) = (one for one in advise(EVERYTHING, goal=goal) if one.allocator == name)
        environment = {**advice.peer(PEERS[name]).environment(), **more}
        for variable, value in more.items():
            environment[variable] = ",".join(filter(None, (value, dict(advice.variables).get(variable, ""))))
        runs.append(subprocess.run(["/bin/true"], env=environment, capture_output=True, text=True))
    return runs


def test_jemalloc_knows_every_option() -> None:
    for run in accepted("jemalloc", MALLOC_CONF="abort_conf:true"):
        assert (run.returncode, run.stderr) == (0, "")
    wrong = PEERS["jemalloc"].environment() | {"MALLOC_CONF": "abort_conf:true,no_such_option:1"}
    assert subprocess.run(["/bin/true"], env=wrong, capture_output=True).returncode != 0


def test_mimalloc_takes_every_option_that_its_version_has() -> None:
    goals: tuple[Goal, ...] = ("time", "memory")
    for run, goal in zip(accepted("mimalloc", MIMALLOC_VERBOSE="1"), goals, strict=True):
        known = dict(re.findall(r"option '(\w+)': (-?\d+)", run.stderr))
        (advice,) = (one for one in advise(EVERYTHING, goal=goal) if one.allocator == "mimalloc")
        options = {name.removeprefix("MIMALLOC_").lower(): value for name, value in advice.variables}
        later = {"purge_delay"} if "decommit_delay" in known else {"decommit_delay", "segment_decommit_delay"}
        later |= set() if "allow_decommit" in known else {"allow_decommit", "page_reset"}
        assert set(options) - later <= set(known)
        for name in set(options) - later:
            assert known[name] == (str(800 * 1024) if name == "reserve_os_memory" else options[name])


def test_glibc_knows_every_tunable_and_takes_every_value() -> None:
    for loader in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"):
        if Path(loader).exists():
            break
    else:
        pytest.skip("needs the loader of glibc")
    for goal in ("time", "memory"):
        (advice,) = (one for one in advise(EVERYTHING, goal=goal) if one.allocator == "glibc")
        environment = {**os.environ, **dict(advice.variables)}
        run = subprocess.run([loader, "--list-tunables"], env=environment, capture_output=True, text=True)
        listed = dict(re.findall(r"^(\S+): (\S+)", run.stdout, re.M))
        for name, value in (one.split("=") for one in dict(advice.variables)["GLIBC_TUNABLES"].split(":")):
            assert int(listed[name], 0) == int(value)


def test_tcmalloc_has_every_variable_in_it() -> None:
    for run in accepted("tcmalloc"):
        assert (run.returncode, run.stderr) == (0, "")
    library = Path(PEERS["tcmalloc"].preload).read_bytes()
    for goal in ("time", "memory"):
        (advice,) = (one for one in advise(EVERYTHING, goal=goal) if one.allocator == "tcmalloc")
        assert all(name.encode() in library for name, _ in advice.variables)
