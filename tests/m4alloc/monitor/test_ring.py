"""The trace of a finding holds what led to it, and `verify --trace` finds the same in it, at the same event."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.check.verify import verify_trace
from m4alloc.check.verify_report import PropertyFound, VerifyReport
from m4alloc.monitor.run import monitor
from m4alloc.trace.format import EndReason
from m4alloc.trace.read import Trace
from spec.event import Function
from tests.m4alloc.monitor.watched import build

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

NOISE = "for (int i = 0; i < 20; i++) { q = malloc(100 + i); free(q); }"
"""Events of other blocks."""


def traced(tmp_path: Path, body: str, *, before: str = "", finding: str, **options: object) -> Trace:
    """The trace of the one finding of a program; it is of that class."""
    program = build(tmp_path, body, before=before)
    report = monitor([program], keep_trace=tmp_path / "trace", stderr=-3, **options)  # type: ignore[arg-type]
    assert [one.title for one in report.findings] == [finding]
    assert report.findings[0].trace == str(tmp_path / "trace")
    return Trace.open(report.findings[0].trace)


def judged(trace: Trace, name: str, *asked: str) -> tuple[VerifyReport, PropertyFound]:
    report = verify_trace(trace.path, properties=asked)
    return report, next(one for one in report.properties if one.name == name)


def last_event(trace: Trace) -> int:
    return max(event.begin for event in trace.events())


def test_a_use_after_free_is_the_last_event_of_its_trace(tmp_path: Path) -> None:
    trace = traced(tmp_path, f"p = malloc(40); free(p); {NOISE} p[3] = 1;", finding="use-after-free")
    report, found = judged(trace, "access-only-while-allocated")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))
    assert report.misuse_counts["use-after-free"] == 1


def test_a_double_free_is_the_last_event_of_its_trace(tmp_path: Path) -> None:
    trace = traced(tmp_path, f"p = malloc(40); free(p); {NOISE} free(p);", finding="double-free")
    report, found = judged(trace, "no-double-free")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))
    assert report.misuse_counts["double-free"] == 1


@pytest.mark.parametrize("size", [40, 39, 42], ids=["right behind", "in the redzone", "over the end"])
def test_an_access_behind_the_request_belongs_to_its_block_offline_too(size: int, tmp_path: Path) -> None:
    body = f"p = malloc({size}); q = malloc(40); *(int *)(p + 40) = 1;"
    trace = traced(tmp_path, body, finding="out-of-bounds")
    _, found = judged(trace, "access-in-bounds", "access-in-bounds")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))
    assert f"{size} bytes at" in found.message
    assert judged(trace, "access-only-while-allocated")[1].answer == "HOLDS"


def test_a_block_that_is_older_than_the_ring_is_handed_out_first(tmp_path: Path) -> None:
    body = "p = malloc(50); for (int i = 0; i < 10000; i++) { q = malloc(24); free(q); } p[50] = 1;"
    trace = traced(tmp_path, body, finding="out-of-bounds")
    events = list(trace.events())
    assert 4096 <= len(events) <= 4096 + 10
    old = [event for event in events if event.size == 50 and event.function is Function.MALLOC]
    assert len(old) == 1
    _, found = judged(trace, "access-in-bounds", "access-in-bounds")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))


def test_a_block_freed_before_the_ring_begins_is_handed_out_and_freed_first(tmp_path: Path) -> None:
    body = "p = malloc(3000); free(p); for (int i = 0; i < 10000; i++) { q = malloc(24); free(q); } p[50] = 1;"
    trace = traced(tmp_path, body, finding="use-after-free")
    report, found = judged(trace, "access-only-while-allocated")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))
    assert report.misuse_counts["use-after-free"] == 1


def test_the_events_of_several_threads_are_in_one_order(tmp_path: Path) -> None:
    before = """
    static void *release(void *block) { for (int i = 0; i < 5; i++) free(malloc(60)); free(block); return NULL; }
    """
    body = """
    pthread_t thread;
    p = malloc(40);
    pthread_create(&thread, NULL, release, p);
    pthread_join(thread, NULL);
    p[0] = 1;
    """
    trace = traced(tmp_path, body, before=before, finding="use-after-free")
    events = list(trace.events())
    assert len({event.thread for event in events}) == 2
    freed = next(event for event in events if event.function is Function.FREE and event.address == events[-1].address)
    assert freed.thread != events[-1].thread
    assert [event.begin for event in events] == list(range(1, 2 * len(events), 2))
    assert judged(trace, "access-only-while-allocated")[1].answer == "VIOLATED"


def test_the_ring_of_a_thread_that_has_ended_goes_on_in_the_next(tmp_path: Path) -> None:
    before = """
    static void *work(void *block) { free(malloc(60)); return NULL; }
    """
    body = """
    pthread_t thread;
    for (int i = 0; i < 50; i++) { pthread_create(&thread, NULL, work, NULL); pthread_join(thread, NULL); }
    p = malloc(40);
    free(p);
    free(p);
    """
    trace = traced(tmp_path, body, before=before, finding="double-free")
    sixty = [event for event in trace.events() if event.size == 60]
    assert len(sixty) == 50
    assert len({event.thread for event in sixty}) == 50


def test_traces_are_consistent_while_other_threads_go_on_at_different_speeds(tmp_path: Path) -> None:
    before = """
    static char *volatile shared[64];
    static volatile int stop;
    static void *work(void *slow)
    {
        for (unsigned i = (unsigned)(size_t)slow; !stop; i = i * 1103515245u + 12345u) {
            char *mine = malloc(24 + i % 100);
            free(__atomic_exchange_n(&shared[i / 65536 % 64], mine, __ATOMIC_ACQ_REL));
            if (slow) usleep(20);
        }
        return NULL;
    }
    """
    body = """
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, (void *)(i / 2));
    for (int i = 0; i < 6; i++) { usleep(30000); p = malloc(300 + i); free(p); if (i == 1) p[0] = 1; }
    free(p);
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    """
    program = build(tmp_path, body, before=before)
    report = monitor([program], keep_trace=tmp_path / "trace", on_violation="continue", leaks="no", stderr=-3)
    assert [one.title for one in report.findings] == ["use-after-free", "double-free"]
    for finding in report.findings:
        judged = verify_trace(finding.trace)
        assert (judged.refused, judged.violations) == (0, ())
        assert list(judged.misuse_counts) == [finding.title]
        answers = {one.name: one.answer for one in judged.properties}
        assert answers["no-double-allocation"] == "HOLDS"
        assert answers[finding.name] == "VIOLATED"


def test_what_a_busy_thread_has_forgotten_is_put_back_in(tmp_path: Path) -> None:
    before = """
    static char *volatile block[1000];
    static void *work(void *nothing)
    {
        for (int i = 0; i < 1000; i++) free(block[i]);
        for (int i = 0; i < 10000; i++) free(malloc(20));
        return NULL;
    }
    """
    body = """
    pthread_t thread;
    for (int i = 0; i < 1000; i++) block[i] = malloc(3000);
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    for (int i = 0; i < 1000; i++) block[i] = malloc(3000);
    p = malloc(40); free(p); free(p);
    """
    trace = traced(tmp_path, body, before=before, finding="double-free")
    handed_out = [event.result for event in trace.events() if event.size == 3000]
    assert len(set(handed_out)) < len(handed_out)  # some twice, and nobody remembers the free in between
    report, found = judged(trace, "no-double-allocation")
    assert (report.refused, report.violations, found.answer) == (0, (), "HOLDS")
    assert judged(trace, "no-double-free")[1].event == last_event(trace)


def test_with_a_history_of_accesses_they_are_in_the_trace(tmp_path: Path) -> None:
    body = "p = malloc(40); for (int i = 0; i < 5; i++) p[i] = 1; free(p); p[0] = 1;"
    trace = traced(tmp_path, body, finding="use-after-free", history="accesses")
    stores = [event for event in trace.events() if event.function is Function.STORE]
    assert len(stores) == 6


def test_labels_are_in_the_trace_by_name(tmp_path: Path) -> None:
    body = 'p = malloc(40); M4ALLOC_LABEL_OF("parsed", p); q = malloc(9); free(p); free(q); '
    trace = traced(
        tmp_path,
        body,
        finding="property block: [](parsed -> X !free)",
        properties=["block: [](parsed -> X !free)"],
    )
    said = [event for event in trace.events() if event.function is Function.LABEL]
    assert [event.label for event in said] == ["parsed"]
    _, found = judged(trace, "block: [](parsed -> X !free)", "block: [](parsed -> X !free)")
    assert (found.answer, found.event) == ("VIOLATED", last_event(trace))


def test_a_leak_has_a_trace_that_has_ended(tmp_path: Path) -> None:
    before = "__attribute__((noinline)) static void lose(void) { char *volatile lost = malloc(40); lost = NULL; }"
    trace = traced(tmp_path, "for (int i = 0; i < 4 + argc; i++) lose();\nreturn 0;", before=before, finding="leak")
    assert trace.end_reason is EndReason.EXIT
    assert judged(trace, "freed-eventually")[1].answer == "VIOLATED"


def test_a_trace_while_the_program_runs_has_not_ended(tmp_path: Path) -> None:
    trace = traced(tmp_path, "p = malloc(40); free(p); free(p);", finding="double-free")
    assert trace.end_reason is EndReason.RUNNING


def test_each_finding_has_a_trace_of_its_own(tmp_path: Path) -> None:
    program = build(tmp_path, "p = malloc(40); q = malloc(50); free(p); free(p); free(q);\nfree(q);")
    report = monitor([program], keep_trace=tmp_path / "trace", on_violation="continue", stderr=-3)
    assert [finding.trace for finding in report.findings] == [f"{tmp_path}/trace", f"{tmp_path}/trace.2"]
    first, second = (Trace.open(finding.trace) for finding in report.findings)
    assert last_event(second) > last_event(first)


def test_without_a_history_there_is_no_trace(tmp_path: Path) -> None:
    program = build(tmp_path, "p = malloc(40); free(p); free(p);")
    report = monitor([program], keep_trace=tmp_path / "trace", history="no", stderr=-3)
    assert report.findings[0].trace == ""
    assert not (tmp_path / "trace").exists()
