"""A library is driven in forked children, and whatever it does there is an observation."""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from m4alloc.check import foreign
from m4alloc.check.board import CAPACITY, Board
from m4alloc.check.elf import opened
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.instruction import INSTRUCTION
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.target import End, EndedError
from m4alloc.lib import lib
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, NEVER_RETURNED, Event, Function
from tests.m4alloc.check.conftest import SOURCE

MALLOC, CALLOC, FREE, REALLOC = Function.MALLOC, Function.CALLOC, Function.FREE, Function.REALLOC
Bump = Callable[..., str]


def youngest(function: Function, **fields: int) -> Operation:
    return Operation(function, aim=Aim.LIVE, **fields)


def test_each_request_is_answered_with_its_reply_and_evidence(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=24), Operation(CALLOC, size=5, count=7), youngest(REALLOC, size=99), youngest(FREE)]
    with Foreign(bump()) as target:
        malloc, calloc, realloc, free = target.run(plan).events
    assert malloc.result % 16 == 0 and malloc.usable == 24
    assert calloc.intact == 35
    assert realloc.address == calloc.result and realloc.intact == 35 and realloc.usable == 99
    assert free.address == realloc.result


def test_a_library_that_refuses_dlopen_is_loaded_from_a_copy_that_does_not(bump: Bump, tmp_path: Path) -> None:
    plan = [Operation(MALLOC, size=24), Operation(CALLOC, size=5, count=7)]
    marked = tmp_path / "libmarked.so"
    flags = ["-O1", "-fno-builtin", "-shared", "-fPIC", "-Wl,-z,nodlopen"]
    subprocess.run(["gcc", *flags, str(SOURCE), "-o", str(marked)], check=True)
    with pytest.raises(OSError, match="cannot be dlopen"):
        ctypes.CDLL(str(marked))
    before = marked.read_bytes()
    with Foreign(bump()) as plain, Foreign(marked) as target:
        assert target.functions == plain.functions and target.name == str(marked)
        assert [event.usable for event in target.run(plan).events] == [24, 35]
    assert marked.read_bytes() == before and opened(marked) != before
    assert opened(Path(bump())) == b"" == opened(SOURCE)


def test_every_episode_begins_with_a_fresh_heap(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=size) for size in (1, 2, 3)]
    with Foreign(bump()) as target:
        assert target.run(plan) == target.run(plan)


def test_a_crash_leaves_the_events_before_it_and_names_the_call(bump: Bump) -> None:
    with Foreign(bump("CRASH=3")) as target:
        episode = target.run([Operation(MALLOC, size=size) for size in range(8)])
        assert target.run([]).end is End.FINISHED  # the server lives on
    assert episode.end is End.CRASHED and episode.signal == signal.SIGABRT
    assert [event.size for event in episode.events] == [0, 1, 2]
    assert episode.pending == Event(MALLOC, size=2, flags=NEVER_RETURNED)
    assert episode.describe_end() == "SIGABRT inside malloc"


def test_a_hang_is_ended_and_names_the_call(bump: Bump) -> None:
    with Foreign(bump("HANG=2"), timeout=0.3) as target:
        episode = target.run([Operation(MALLOC, size=size) for size in range(4)])
        assert target.run([Operation(MALLOC)]).end is End.FINISHED
    assert episode.end is End.HUNG and [event.size for event in episode.events] == [0, 1]
    assert episode.signal == 0 and episode.pending is episode.events[-1]
    assert episode.describe_end() == "no answer in time inside malloc"


def test_a_block_that_cannot_be_written_is_told_apart_from_a_crash_inside(bump: Bump) -> None:
    with Foreign(bump("UNMAPPED")) as target:
        episode = target.run([Operation(MALLOC, size=64)])
    malloc, access = episode.events
    assert episode.end is End.CRASHED and episode.pending == access
    assert (malloc.result, malloc.usable, malloc.flags) == (16, 64, 0)
    assert (access.function, access.address, access.size) == (Function.STORE, 16, 64)
    assert episode.describe_end() == "SIGSEGV when the client used its blocks"


def test_what_the_child_says_on_standard_error_is_kept() -> None:
    with Foreign("system") as target:
        plan = [Operation(MALLOC, size=2000), youngest(FREE), Operation(FREE, aim=Aim.DEAD)]
        episode = target.run(plan)
    assert episode.signal == signal.SIGABRT and "free" in episode.message
    assert episode.pending is not None and episode.pending.function is FREE


@pytest.mark.parametrize("macro", ["NOT_ZERO", "LOSE_TAIL"])
def test_contents_lost_inside_a_call_are_in_its_reply(bump: Bump, macro: str) -> None:
    plan = [Operation(CALLOC, size=1, count=64), youngest(REALLOC, size=128)]
    with Foreign(bump(macro)) as target:
        events = target.run(plan).events
    assert [event.intact for event in events if event.function is not Function.LOAD] == (
        [40, 64] if macro == "NOT_ZERO" else [64, 63]
    )


def test_contents_changed_behind_the_clients_back_become_a_load_that_failed(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=16), Operation(MALLOC, size=32), youngest(FREE, block=1)]
    with Foreign(bump("SCRIBBLE")) as target:
        events = target.run(plan).events
    load = events[-1]
    assert load.function is Function.LOAD and load.address == events[1].result
    assert (load.size, load.intact) == (32, 31)


def test_a_failure_without_errno_is_seen(bump: Bump) -> None:
    with Foreign(bump("SILENT")) as silent, Foreign(bump()) as right:
        huge = [Operation(MALLOC, size=1 << 40)]
        assert [(event.result, event.errno) for event in silent.run(huge).events] == [(0, 0)]
        assert [(event.result, event.errno) for event in right.run(huge).events] == [(0, 12)]


def test_free_that_writes_errno_is_seen(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=1), youngest(FREE)]
    with Foreign(bump("FREE_SETS_ERRNO")) as careless, Foreign(bump()) as careful:
        assert careless.run(plan).events[-1].flags & ERRNO_CHANGED
        assert not careful.run(plan).events[-1].flags & ERRNO_CHANGED


def test_each_thread_number_is_a_thread_of_its_own() -> None:
    arena = 1 << 26  # glibc gives a second thread an arena of its own, far from the heap of the first
    plan = [Operation(MALLOC, thread, size=64) for thread in (0, 1, 0, 1)]
    with Foreign("system") as target:
        first, second, third, fourth = (event.result for event in target.run(plan).events)
    assert abs(first - second) > arena and abs(first - third) < arena and abs(second - fourth) < arena


def test_a_label_ends_its_thread_and_the_next_use_starts_another() -> None:
    plan = [
        Operation(MALLOC, 1, size=64),
        directive(Directive.THREAD_END, thread=1),
        Operation(FREE, 0, Aim.LIVE),
        Operation(MALLOC, 1, size=64),
    ]
    with Foreign("system") as target:
        episode = target.run(plan)
    assert episode.end is End.FINISHED
    assert [event.function for event in episode.events] == [MALLOC, Function.LABEL, FREE, MALLOC]


def test_a_session_answers_one_request_at_a_time(bump: Bump) -> None:
    with Foreign(bump()) as target, target.begin() as session:
        (malloc,) = session.request(Event(MALLOC, size=40))
        (free,) = session.request(Event(FREE, 1, malloc.result))
        assert (free.thread, free.address) == (1, malloc.result)
        assert session.sweep() == []


def test_a_session_ends_with_everything_seen_before_the_crash(bump: Bump) -> None:
    with Foreign(bump("CRASH=2")) as target, target.begin() as session:
        session.request(Event(MALLOC, size=1))
        with pytest.raises(EndedError) as caught:
            session.request(Event(MALLOC, size=2))
    assert [event.size for event in caught.value.episode.events] == [1, 2]
    assert caught.value.episode.pending == Event(MALLOC, size=2, flags=NEVER_RETURNED)


def test_repetition_measures_how_much_memory_is_ever_used(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=4096)]
    with Foreign(bump()) as never_reuses, Foreign("system") as libc:
        usage = never_reuses.repeat(plan, 100 * 4096)
        assert usage[:3] == (100 * 4096, 100 * 4096, 4096)
        assert usage.late == usage.late_total > 50 * 4096
        assert usage.memory > 30 * 4096
        total, distinct, live, late_total, late, memory = libc.repeat(plan, 100 * 4096)
    assert total >= 100 * 4096 and distinct < 3 * 4096 and live < 2 * 4096
    assert late == 0 and late_total > 50 * 4096 and memory < 30 * 4096


def test_a_plan_longer_than_the_board_goes_on_in_the_same_heap() -> None:
    plan = [Operation(MALLOC, size=16), youngest(FREE)] * (CAPACITY - 10)
    with Foreign("system") as target:
        episode = target.run(plan)
    assert episode.end is End.FINISHED and len(episode.events) == len(plan) > CAPACITY
    assert len({event.result for event in episode.events if event.function is MALLOC}) == 1


def test_a_batch_beyond_the_board_is_refused() -> None:
    board = Board()
    with pytest.raises(ValueError, match=f"at most {CAPACITY} instructions, not {CAPACITY + 1}"):
        board.ask(np.zeros(CAPACITY + 1, INSTRUCTION))
    board.check()
    board.close()


def test_a_library_of_ours_states_its_terms() -> None:
    with Foreign(lib(), environment={"M4ALLOC_OPTIONS": "misuse=count"}) as counting, Foreign(lib()) as aborting:
        terms = counting.terms("c17")
        assert terms.quarantine == 16 and 0 < terms.quarantine_limit <= 32768 and terms.catches_misuse
        assert not aborting.terms().catches_misuse
        plan = [Operation(MALLOC, size=16), youngest(FREE), Operation(FREE, aim=Aim.DEAD), Operation(MALLOC)]
        assert [event.flags & MISUSE_CAUGHT for event in counting.run(plan).events] == [0, 0, MISUSE_CAUGHT, 0]
        stopped = aborting.run(plan)
    assert stopped.signal == signal.SIGABRT and "double free" in stopped.message


def test_a_missing_library_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"absent\.so: no such file"):
        Foreign(tmp_path / "absent.so")


def test_a_file_that_is_no_library_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("not a library")
    wanted = f"{text}: not an ELF file; a shared library is wanted, such as `gcc -shared -fPIC` makes"
    with pytest.raises(WorkerError, match=f"^{re.escape(wanted)}$"):
        Foreign(text)


def test_a_library_that_the_loader_refuses_is_refused_with_its_reason(library: Callable[..., str]) -> None:
    path = library("void *absent(void); void *malloc(unsigned long n) { return absent(); } void free(void *p) {}")
    with pytest.raises(WorkerError, match=r"cannot be driven: .*undefined symbol: absent"):
        Foreign(path)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("#include <stdlib.h>\nvoid *p(void) { return malloc(1); }", "malloc"),
        ("void *malloc(unsigned long n) { return 0; }", "free"),
    ],
)
def test_a_library_without_malloc_or_free_of_its_own_is_refused(
    library: Callable[..., str], text: str, lacks: str
) -> None:
    with pytest.raises(WorkerError, match=f"cannot be driven: it exports no {lacks}$"):
        Foreign(library(text))


def test_the_functions_of_a_library_may_have_a_prefix(library: Callable[..., str]) -> None:
    names = ("malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign", "malloc_usable_size")
    renamed = "".join(f"#define {name} je_{name}\n" for name in names) + SOURCE.read_text()
    path = library(renamed)
    with Foreign(path, prefix="je_") as target:
        assert [event.result % 16 for event in target.run([Operation(MALLOC, size=8)]).events] == [0]
        assert {Function.MALLOC, Function.CALLOC, Function.USABLE_SIZE} < target.functions
    with pytest.raises(WorkerError, match=r"exports no malloc, but je_malloc: --symbol-prefix je_$"):
        Foreign(path)
    with pytest.raises(WorkerError, match=r"exports no tc_malloc, but je_malloc: --symbol-prefix je_$"):
        Foreign(path, prefix="tc_")


def test_a_library_without_a_prefix_is_said_to_have_none(library: Callable[..., str]) -> None:
    with pytest.raises(WorkerError, match=r"exports no je_malloc, but malloc: without --symbol-prefix$"):
        Foreign(library(SOURCE.read_text()), prefix="je_")


def test_what_a_library_does_while_it_is_loaded_is_told(
    library: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = "#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) static void start(void) { %s; }"
    with pytest.raises(
        WorkerError, match=r"cannot be driven: it crashed with SIGABRT while it was loaded: spoke last$"
    ):
        Foreign(library(start % 'if (write(2, "spoke last", 10)) abort()'))
    with pytest.raises(WorkerError, match=r"cannot be driven: the driver ended while it was loaded$"):
        Foreign(library(start % "_exit(3)"))
    monkeypatch.setattr(foreign, "START_SECONDS", 0.4)
    with pytest.raises(WorkerError, match=r"cannot be driven: loading it took more than 0\.4 s$"):
        Foreign(library(start % "for (;;) pause()"))


def test_variables_reach_the_library() -> None:
    plan = [Operation(MALLOC, size=64), youngest(FREE), Operation(FREE, aim=Aim.DEAD)]
    tunables = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
    with Foreign("system") as usual, Foreign("system", environment={"GLIBC_TUNABLES": tunables}) as tuned:
        assert "tcache" in usual.run(plan).message
        assert "tcache" not in tuned.run(plan).message


def test_a_hang_after_some_steps_is_known_soon_after_the_timeout(bump: Callable[..., str]) -> None:
    with Foreign(bump("HANG=3"), timeout=2.0) as foreign:
        began = time.monotonic()
        assert foreign.run([Operation(Function.MALLOC, size=24)] * 3).end is End.HUNG
        assert 2.0 <= time.monotonic() - began < 3.5
