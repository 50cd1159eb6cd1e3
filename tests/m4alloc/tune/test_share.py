"""The allocator's share of the processor time: of programs whose share is known, and where none can be told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from m4alloc._build import run_compiler
from m4alloc.bench.compiled import compiled
from m4alloc.bench.peer import Peer, peers
from m4alloc.tune.share import RECORD, Share, fault_seconds, read, share, shared

PROGRAM = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile unsigned long sink;
static void *volatile kept;
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
/* So many seconds of processor time in malloc and free, of nothing else, of memory touched again and again. */
static void allocate(double seconds) {
    for (double end = now() + seconds; now() < end;)
        for (int i = 0; i < 300; i++) {
            void *block[64];
            for (int j = 0; j < 64; j++) kept = block[j] = malloc(500 + 16 * j);
            for (int j = 0; j < 64; j++) free(block[j]);
        }
}
static void compute(double seconds) {
    for (double end = now() + seconds; now() < end;)
        for (unsigned long i = 0; i < 2000000; i++) sink = sink * 31 + i;
}
static void touch(int times) {
    for (int i = 0; i < times; i++) {
        char *memory = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(memory, 4 << 20, MADV_NOHUGEPAGE);
        for (int at = 0; at < 4 << 20; at += 4096) memory[at] = 1;
        munmap(memory, 4 << 20);
    }
}
static void ignored(int number) { (void)number; }
int main(int argc, char **argv) {
    (void)argc;
    switch (argv[1][0]) {
    case 'a': allocate(0.12); return 0;
    case 'c': compute(0.12); return 0;
    case 't': touch(10); compute(0.1); return 0;
    case '_': allocate(0.12); _exit(0);
    case 'f': if (fork() == 0) { allocate(0.12); _exit(0); } wait(NULL); compute(0.12); return 0;
    case 'e': compute(0.12); execl(argv[0], argv[0], "a", NULL); return 1;
    case 's': signal(SIGPROF, ignored); compute(0.12); return 0;
    case 'x': return 5;
    }
    return 2;
}
"""
GLIBC = Peer("glibc", "")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What it does is its first argument."""
    source = tmp_path_factory.mktemp("share") / "shares.c"
    source.write_text(PROGRAM)
    return str(compiled(source))


def fraction(one: Share) -> float:
    assert one.fraction is not None, one.reason
    return one.fraction


@pytest.mark.parametrize("peer", peers()[0][:3], ids=lambda peer: peer.name)
def test_a_program_that_only_allocates_spends_its_time_in_the_allocator(program: str, peer: Peer) -> None:
    assert fraction(share([program, "a"], peer)) > 0.5


def test_a_program_that_only_computes_does_not(program: str) -> None:
    for peer in peers()[0][:2]:
        found = share([program, "c"], peer)
        assert fraction(found) < 0.05 and found.images == 1 and 50 < found.samples < 500


def test_what_was_sampled_is_kept_whatever_way_the_program_ends(program: str) -> None:
    assert fraction(share([program, "_"], GLIBC)) > 0.5


def test_a_program_at_a_fixed_address_is_not_taken_for_its_allocator(tmp_path: Path) -> None:
    source, fixed = tmp_path / "fixed.c", tmp_path / "fixed"
    source.write_text(PROGRAM + "void *(*volatile address)(size_t) = malloc;\n")
    run_compiler("-std=gnu17", "-O2", "-fno-builtin", "-fno-pie", "-no-pie", str(source), "-o", str(fixed))
    for peer in peers()[0][:2]:
        assert fraction(share([str(fixed), "c"], peer)) < 0.1
        assert fraction(share([str(fixed), "a"], peer)) > 0.5


def test_children_and_what_they_become_add_up(program: str) -> None:
    for how, images in (("f", 2), ("e", 2)):
        found = share([program, how], GLIBC)
        assert found.images == images and 0.2 < fraction(found) < 0.8


def test_pages_touched_again_are_told_from_those_touched_first(program: str) -> None:
    found = share([program, "t"], GLIBC)
    assert found.faults > 10 * 1024 and 8 * 1024 < found.refaults < found.faults - 900
    assert share([program, "c"], GLIBC).refaults < 100


def test_a_program_with_a_handler_of_its_own_is_not_measured(program: str) -> None:
    found = share([program, "s"], GLIBC)
    assert (found.fraction, found.reason) == (None, "the program uses SIGPROF itself")


def test_an_exit_status_that_is_not_the_right_one_is_told(program: str) -> None:
    assert share([program, "x"], GLIBC, status=0).reason == "with the sampler the program ended with status 5"
    assert share([program, "x"], GLIBC, status=5).reason == "too short: less than 50 samples of a millisecond"


def test_short_programs_are_run_until_there_is_enough(program: str) -> None:
    assert share([program, "x"], GLIBC, runs=3).images == 3


def test_the_program_prints_and_sleeps_as_without(program: str) -> None:
    lines = ["t = threading.Thread(target=lambda: time.sleep(0.1))", "t.start()", "sum(range(16 * 10**6))", "t.join()"]
    code = "\n".join(["import time, threading", *lines])
    assert fraction(share([sys.executable, "-ISc", code], GLIBC, status=0)) < 0.3


def test_a_program_that_drops_the_sampler_is_not_measured(tmp_path: Path) -> None:
    assert shared("mine", 0, [], 1.0).reason.startswith("the sampler was not loaded")
    assert shared("mine", 1, [(2, 1, 0, 0, 0, 0, 997000, 0)], 1.0).reason == (
        "where in its libc the allocator is cannot be told"
    )
    little = shared("mine", 1, [(1, 1, 100, 50, 0, 100, 997000, 0)], 1.0)
    assert little.fraction is None and little.reason.startswith("only 0.10 s of 1.00 s were sampled")


def test_records_are_read_as_they_were_written() -> None:
    held = RECORD.pack(2, *[0] * 7) + RECORD.pack(*range(1, 9)) + RECORD.pack(*range(11, 19)) + bytes(RECORD.size)
    assert read(held) == (2, [tuple(range(1, 9)), tuple(range(11, 19))])


def test_a_first_touch_takes_between_nothing_and_a_millisecond() -> None:
    assert 1e-8 < fault_seconds() < 1e-3
