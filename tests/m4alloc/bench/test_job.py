"""The order of the runs: complete, random, and the same whatever was run before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from m4alloc.bench.job import Job, Kind, Plan, expected_seconds

PLAN = Plan(
    (("binary_tree", (0,)), ("xmalloc", (1, 2))),
    ("glibc", "a", "b", "c"),
    rounds=4,
    seed=7,
    cores=2,
    latency=True,
    memory=True,
    heap_sizes=(10, 100),
)


def test_each_run_occurs_once_and_each_round_has_every_allocator() -> None:
    jobs = list(PLAN.jobs())
    assert len({job.key for job in jobs}) == len(jobs)
    kinds = Counter(job.kind for job in jobs)
    assert kinds[Kind.TRIAL] == 3 and kinds[Kind.PROGRAM] == 3 * 4 * 4
    assert kinds[Kind.HEADLINE] == kinds[Kind.LATENCY] == 16 and kinds[Kind.HEAP_SIZE] == 32 and kinds[Kind.MEMORY] == 8
    for subject, number in Counter(job.subject for job in jobs if job.kind is not Kind.TRIAL).items():
        assert number == (1 if subject[0] is Kind.MEMORY else 4)


def test_allocators_stay_together_and_their_order_changes() -> None:
    jobs = [job for job in PLAN.jobs() if job.kind is Kind.PROGRAM]
    groups = [jobs[at : at + 4] for at in range(0, len(jobs), 4)]
    assert all(len({(job.name, job.number, job.round) for job in group}) == 1 for group in groups)
    assert all({job.peer for job in group} == set(PLAN.peers) for group in groups)
    assert len({tuple(job.peer for job in group) for group in groups}) > 3


def test_the_order_depends_on_the_seed_and_not_on_what_else_is_run() -> None:
    alone = replace(PLAN, programs=(("xmalloc", (1, 2)),), latency=False, heap_sizes=())
    assert [job for job in PLAN.round(2) if job.name == "xmalloc"] == list(alone.round(2))
    assert list(PLAN.jobs()) == list(PLAN.jobs()) != list(replace(PLAN, seed=8).jobs())


def test_the_time_of_a_run_is_judged_by_the_trial_on_as_many_threads() -> None:
    trials = {("binary_tree", 0): 2.0, ("xmalloc", 1): 3.0, ("xmalloc", 2): 5.0}
    assert expected_seconds(Job(Kind.PROGRAM, "xmalloc", 2, "a"), trials, False) == 5.0
    assert expected_seconds(Job(Kind.HEADLINE, "binary_tree", 2, "a"), trials, False) == 2.0
    assert expected_seconds(Job(Kind.HEAP_SIZE, "", 10**7, "a"), trials, False) > 10
