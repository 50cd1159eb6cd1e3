"""What the core has counted is exactly what a program did, in every class, thread and process."""

from __future__ import annotations

import dataclasses
import signal
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from m4alloc import statistics
from m4alloc.statistics import ClassStatistics, Statistics
from m4alloc.strategy import Strategy
from tests.m4alloc.native import PRELOAD, Ran, build, run

PROGRAM = PRELOAD / "statistics.c"
THREADS, OWN, PASSED, KEPT = 4, 300, 200, 7
NONE = ClassStatistics(**{field.name: 0 for field in dataclasses.fields(ClassStatistics)})
STRATEGIES = {
    "default": "",
    "hardened": Strategy.hardened().to_environment(),
    "no delay": "delay_line=0",
    "small stacks": "stack_depth=16,stack_bytes=65536,refill_batch=1",
}


def counted(part: str, *, strategy: str = "", options: str = "") -> tuple[Statistics, Statistics]:
    """The statistics before and after one part of the program."""
    environment = {"M4ALLOC_STRATEGY": strategy, "M4ALLOC_OPTIONS": options}
    ran = run([build(PROGRAM), part], environment={name: value for name, value in environment.items() if value})
    assert ran.status == 0, ran
    lines = [statistics.read_line(line) for line in ran.out.splitlines()]
    return lines[0], lines[-1]


def of_class(found: Statistics, slot_size: int) -> ClassStatistics:
    return next((counts for counts in found.classes if counts.slot_size == slot_size), NONE)


def calls(pair: tuple[Statistics, Statistics], slot_size: int) -> tuple[int, int, int]:
    """How many mallocs, frees and remote frees of the class came between the two snapshots."""
    before, after = (of_class(found, slot_size) for found in pair)
    return (
        after.mallocs - before.mallocs,
        after.frees - before.frees,
        after.remote_frees - before.remote_frees,
    )


def at_end(how: str, tmp_path: Path) -> tuple[list[Statistics], Ran]:
    """The statistics of every process of the program that ends in some way, and how it ended."""
    path = tmp_path / "statistics"
    ran = run([build(PROGRAM), how], environment={"M4ALLOC_OPTIONS": statistics.option(path)})
    found, damaged = statistics.read(path)
    assert damaged == 0
    return found, ran


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_calls_of_several_threads_are_counted_exactly(strategy: str) -> None:
    pair = counted("threads", strategy=strategy)
    assert calls(pair, 20480) == (THREADS * OWN, THREADS * OWN, 0)
    assert calls(pair, 24576) == (THREADS * KEPT, 0, 0)
    assert calls(pair, 28672) == (THREADS * PASSED, THREADS * PASSED, THREADS * PASSED)
    assert of_class(pair[1], 24576).live_blocks == THREADS * KEPT
    assert pair[1].remote_frees >= THREADS * PASSED
    assert pair[1].threads == 1 and pair[1].heaps >= THREADS


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_the_slots_of_a_class_add_up(strategy: str) -> None:
    _, found = counted("threads", strategy=strategy)
    for counts in found.classes:
        assert counts.live_blocks + counts.cached_slots + counts.free_slots == counts.slots
        assert counts.mallocs - counts.frees == counts.live_blocks
        assert counts.slabs <= counts.slabs_peak <= counts.slabs_made
    assert sum(counts.slabs for counts in found.classes) == found.slabs >= 3
    assert sum(counts.slot_size * counts.cached_slots for counts in found.classes) == found.cached
    large = found.large_mallocs - found.large_frees
    assert large == found.large_blocks
    assert sum(counts.live_blocks for counts in found.classes) + large == found.live_blocks
    assert found.mallocs - found.frees == found.live_blocks
    assert sum(counts.spans for counts in found.classes) <= found.spans <= found.spans_peak


def test_large_blocks_are_counted_apart() -> None:
    before, after = counted("large")
    assert after.large_mallocs - before.large_mallocs == 4
    assert after.large_frees - before.large_frees == 3
    pages = [-(-size // 4096) * 4096 for size in (100_000, 200_000, 300_000, 500_000)]
    shrunk = pages[3] - -(-400_000 // 4096) * 4096
    assert after.large_freed - before.large_freed == sum(pages[:3]) + shrunk
    assert after.large - before.large == pages[3] - shrunk


def test_a_realloc_that_stays_is_no_call_and_one_that_moves_is_two() -> None:
    pair = counted("resizes")
    assert calls(pair, 20480) == (3, 3, 0)
    assert calls(pair, 24576) == (1, 1, 0)


def test_null_is_not_counted_and_a_request_of_zero_bytes_has_its_class() -> None:
    pair = counted("small")
    assert calls(pair, 112) == (1000, 1000, 0)
    assert calls(pair, 0) == (1, 1, 0)
    assert pair[1].mallocs - pair[0].mallocs == pair[1].frees - pair[0].frees == 1001


@pytest.mark.parametrize("rate", [1, 10, 500])
def test_samples_are_counted_apart_and_none_is_lost(rate: int) -> None:
    pair = counted("small", strategy=f"sample_rate={rate}")
    sampled = pair[1].sampled_mallocs - pair[0].sampled_mallocs
    assert sampled > 0 or rate == 500
    assert calls(pair, 112)[:2] == (1000 - sampled, 1000 - sampled)
    assert pair[1].mallocs - pair[0].mallocs == pair[1].frees - pair[0].frees == 1001


def test_a_refused_free_is_a_misuse_and_no_free() -> None:
    pair = counted("double_free", options="misuse=count")
    assert calls(pair, 20480) == (1, 1, 0)
    assert pair[1].misuses - pair[0].misuses == 1


def test_taking_statistics_allocates_nothing() -> None:
    before, after = counted("nothing")
    assert dataclasses.replace(after, resident=0, resident_peak=0) == dataclasses.replace(
        before, resident=0, resident_peak=0
    )
    assert before.resident is not None and before.resident_peak is not None
    assert 0 < before.resident <= before.resident_peak


def test_slow_paths_and_purges_are_counted() -> None:
    before, after = counted("full_stacks")
    assert calls((before, after), 112) == (5000, 5000, 0)
    counts = of_class(after, 112)
    assert counts.refills >= 5000 // 64 and counts.flushes >= 1
    assert counts.slabs < counts.slabs_peak == 9, "5,000 slots, 585 a slab"
    assert after.purges > before.purges and after.purged - before.purged >= 7 * 65536


def test_the_file_is_written_after_the_last_destructor(tmp_path: Path) -> None:
    (found,), ran = at_end("late", tmp_path)
    assert ran.status == 0 and (ran.out, ran.err) == ("", "")
    assert found.image == str(build(PROGRAM))
    assert (of_class(found, 20480).mallocs, of_class(found, 20480).live_blocks) == (1, 0)


def test_exit_without_handlers_writes_too(tmp_path: Path) -> None:
    (found,), _ = at_end("_exit", tmp_path)
    assert of_class(found, 20480).live_blocks == 1


def test_a_forked_child_counts_on_and_writes_its_own(tmp_path: Path) -> None:
    (child, parent), _ = at_end("fork", tmp_path)
    assert child.parent == parent.pid != child.pid
    assert (of_class(child, 20480).live_blocks, of_class(child, 24576).mallocs) == (1, 1)
    assert (of_class(parent, 20480).mallocs, of_class(parent, 20480).live_blocks) == (1, 0)
    assert of_class(parent, 24576).mallocs == 0


def test_a_vfork_child_writes_nothing(tmp_path: Path) -> None:
    (found,), _ = at_end("vfork", tmp_path)
    assert found.parent != found.pid


def test_only_the_last_image_of_a_process_writes(tmp_path: Path) -> None:
    (found,), _ = at_end("exec", tmp_path)
    assert of_class(found, 20480).mallocs == 1


def test_a_killed_program_writes_nothing(tmp_path: Path) -> None:
    found, ran = at_end("killed", tmp_path)
    assert (found, ran.status) == ([], -signal.SIGKILL)


def test_the_process_id_may_stand_in_the_name(tmp_path: Path) -> None:
    run([build(PROGRAM), "late"], environment={"M4ALLOC_OPTIONS": f"misuse=count,stats={tmp_path}/%p.%%"})
    (path,) = tmp_path.iterdir()
    (found,), _ = statistics.read(path)
    assert path.name == f"{found.pid}.%"


@pytest.mark.parametrize("value", ["", "relative", "/tmp/%d", "/tmp/%", "/" + "x" * 511])
def test_a_wrong_path_is_refused_before_the_program_begins(value: str) -> None:
    ran = run([build(PROGRAM), "small"], environment={"M4ALLOC_OPTIONS": f"stats={value}"})
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f'm4alloc: M4ALLOC_OPTIONS: "{value[:500]}'), ran
    if len(value) < 100:
        assert f'"{value}" is not a value of stats: that is an absolute path' in ran.err


def test_a_file_that_cannot_be_opened_is_said_at_the_end() -> None:
    ran = run([build(PROGRAM), "small"], environment={"M4ALLOC_OPTIONS": "stats=/no/such/file"})
    assert (ran.status, ran.out.count("\n")) == (0, 2)
    assert ran.err == "m4alloc: the statistics cannot be written to /no/such/file: error 2\n"


def test_a_line_that_is_not_whole_is_counted_and_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "statistics"
    line = run([build(PROGRAM), "nothing"]).out.splitlines()[0]
    path.write_text(line[:500] + "\n" + line + "\n" + line.replace("m4alloc/1", "m4alloc/2") + "\n")
    assert statistics.read(path) == ([statistics.read_line(line)], 2)


def test_malloc_stats_and_malloc_info_say_the_same_as_the_json(tmp_path: Path) -> None:
    source = tmp_path / "shows.c"
    source.write_text(
        "#include <malloc.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
        "int main(void) {\n"
        "    void *large = malloc(100000), *block = malloc(20000);\n"
        "    for (int i = 0; i < 9; i++) free(malloc(20000));\n"
        "    if (malloc_info(1, stdout) == 0 || malloc_info(0, stdout) != 0) return 1;\n"
        "    malloc_stats();\n"
        "    return large == NULL || block == NULL;\n"
        "}\n"
    )
    ran = run([build(source)])
    assert ran.status == 0, ran
    rows = [line.split() for line in ran.err.splitlines()]
    row = next(row for row in rows if row[0] == "20480")
    assert (row[3], row[6:]) == ("1", ["10", "9", "0"])
    assert next(row for row in rows if row[0] == "large") == ["large", "1", "1", "0"]
    heap = ElementTree.fromstring(ran.out)
    assert heap.tag == "malloc"
    sizes = {size.get("from"): size for size in heap.iter("size")}
    assert sizes["20480"].get("count") == row[5]
    large = heap.find("total[@type='mmap']")
    assert large is not None and large.attrib == {"type": "mmap", "count": "1", "size": "102400"}
