"""What a history says of a property: by whom, when, how many, and what it does not say."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.mte.policy import HardenedMalloc, RandomTags, TagPolicy
from capability.mte.protection import MTE, MtePointer
from spec.allocator import ReferenceAllocator
from spec.event import ACCESSING, NEVER_RETURNED, Event, Function
from spec.heap import Block, Heap
from spec.ltl.error import TooLargeError
from spec.ltl.finite import ltl3, ltlf
from spec.ltl.parametric import Occurrence, slices
from spec.ltl.truth import Truth
from spec.properties import PROPERTIES, Index, Property, find
from spec.property_certain import certain
from spec.property_verdict import Answer, PropertyVerdict, concerns, evaluate, missing
from spec.propositions import Words, values
from tests.spec.test_history import history, mutations

F = Function
A, B = 0x1000, 0x2000


def malloc(result: int, size: int = 24, **more: Any) -> Event:
    return Event(F.MALLOC, size=size, result=result, usable=32, **more)


def free(address: int, **more: Any) -> Event:
    return Event(F.FREE, address=address, **more)


def load(address: int) -> Event:
    return Event(F.LOAD, address=address, size=1)


def label(text: str, thread: int = 0, address: int = 0) -> Event:
    return Event(F.LABEL, thread, address, label=text)


def say(name: str, *events: Event, **how: object) -> PropertyVerdict:
    return evaluate(find(name), events, **how)  # type: ignore[arg-type]


USE = [malloc(A), load(A + 8), free(A)]


# Verdicts.


def test_correct_use_holds_and_the_published_property_refuses_it() -> None:
    for name in ("S1", "L1", "F1", "F2", "freed-eventually", "no-double-free", "no-double-allocation", "one-life"):
        assert say(name, *USE, *USE).answer is Answer.HOLDS, name
    refused = say("published", *USE)
    assert (refused.answer, str(refused.witness)) == (
        Answer.VIOLATED,
        "event 2 of thread 0, 24 bytes at 0x1000, handed out at event 1",
    )


def test_use_after_free_is_violated_at_the_access() -> None:
    found = say("access-only-while-allocated", *USE, malloc(A, 30), free(A), load(A + 3), load(A + 4))
    assert (found.answer, found.violated, found.at_exit) == (Answer.VIOLATED, 1, False)
    assert str(found.witness) == "event 6 of thread 0, 30 bytes at 0x1000, handed out at event 4"


def test_double_free_and_free_of_what_was_never_handed_out_violate_no_double_free() -> None:
    found = say("no-double-free", malloc(A), free(A), free(A), free(B))
    assert (found.violated, str(found.witness)) == (2, "event 3 of thread 0, 24 bytes at 0x1000, handed out at event 1")
    assert str(say("no-double-free", free(B)).witness) == "event 1 of thread 0, at 0x2000"


def test_block_handed_out_twice_violates_no_double_allocation_and_no_overlap() -> None:
    for name in ("no-double-allocation", "no-overlap"):
        assert str(say(name, malloc(A), malloc(A, 8)).witness) == "event 2 of thread 0, 8 bytes at 0x1000"
        assert say(name, malloc(A), free(A), malloc(A)).answer is Answer.HOLDS


def test_early_reuse_is_judged_only_where_a_quarantine_is_promised() -> None:
    early = [malloc(A), malloc(B), free(A), malloc(A)]
    assert say("no-early-reuse", *early).answer is Answer.NOT_OBSERVED
    assert say("no-early-reuse", *early, quarantine=1).answer is Answer.VIOLATED
    assert say("no-early-reuse", *early[:3], free(B), malloc(A), quarantine=1).answer is Answer.HOLDS


def test_calloc_that_is_not_zero_violates_handed_out_zero() -> None:
    calloc = Event(F.CALLOC, size=24, result=A, usable=32)
    answers = [say("handed-out-zero", calloc._replace(intact=seen)).answer for seen in (-1, 24, 3)]
    assert answers == [Answer.NOT_OBSERVED, Answer.HOLDS, Answer.VIOLATED]


# At exit, and before.


def test_a_leak_is_a_violation_at_exit_and_inconclusive_before() -> None:
    events = [malloc(A, 24), malloc(B, 100), free(A), malloc(A, 7)]
    found = say("freed-eventually", *events)
    assert (found.answer, found.at_exit, found.violated, found.unfulfilled, found.bytes) == (
        Answer.VIOLATED, True, 0, 2, 107,
    )  # fmt: skip
    assert str(found.witness) == "event 2 of thread 0, 100 bytes at 0x2000"
    running = say("freed-eventually", *events, exited=False)
    assert (running.answer, running.unfulfilled, running.witness) == (Answer.INCONCLUSIVE, 2, None)


def test_a_block_resized_in_place_leaks_its_last_size() -> None:
    grown = Event(F.REALLOC, address=A, size=30, result=A, usable=32)
    assert say("freed-eventually", malloc(A, 24), grown).bytes == 30
    used = say("S1", malloc(A, 24), grown, free(A), load(A))
    assert used.witness is not None and used.witness.size == 30


def test_a_finished_run_is_judged_with_weak_x() -> None:
    assert say("S1", *USE).answer is Answer.HOLDS  # whose last letter is the free


def test_blocks_of_the_parent_process_are_not_the_childs_leaks() -> None:
    heap = Heap()
    heap.insert(Block(A, 24, 32))
    heap.insert(Block(B, 24, 32))
    found = say("freed-eventually", free(A), malloc(A, 9), heap=heap)
    assert (found.unfulfilled, found.bytes, found.instances, found.letters) == (1, 9, 2, 2)
    assert say("no-double-free", free(B), heap=heap).answer is Answer.HOLDS


def test_a_call_that_the_recording_cut_off_is_nobodys_fault_and_one_that_never_returned_is() -> None:
    start = malloc(A, begin=1, end=2)
    hung = Event(F.MALLOC, 3, size=8, begin=3)
    assert say("allocation-ends", start, hung).answer is Answer.HOLDS
    assert say("allocation-ends", start, hung, exited=False).answer is Answer.INCONCLUSIVE
    found = say("allocation-ends", start, hung._replace(flags=NEVER_RETURNED))
    assert (found.answer, found.at_exit, str(found.witness)) == (Answer.VIOLATED, True, "event 3 of thread 3")
    never = say("free-ends", start, free(A, thread=2, begin=3, flags=NEVER_RETURNED))
    assert (never.answer, never.witness and never.witness.thread) == (Answer.VIOLATED, 2)


# Evidence.


def test_without_evidence_nothing_is_said() -> None:
    assert say("S1", malloc(A), free(A)).missing == ("access",)
    assert say("quarantine", malloc(A), free(A), malloc(A)).missing == ("quarantine_end",)
    for name in ("S1", "quarantine", "tag-freshness", "revoked-before-reuse", "zeroed-before-reuse"):
        assert say(name, malloc(A), free(A), malloc(A)).answer is Answer.NOT_OBSERVED, name
    assert say("freed-eventually").answer is Answer.NOT_OBSERVED


def test_what_is_certain_is_a_violation_whatever_was_not_observed() -> None:
    twice = say("whole-life", malloc(A), free(A), free(A), malloc(B), free(B))
    assert (twice.answer, twice.violated, twice.missing) == (Answer.VIOLATED, 1, ("access",))
    assert str(twice.witness) == "event 3 of thread 0, 24 bytes at 0x1000, handed out at event 1"
    for name in ("whole-life", "one-life"):
        leaked = say(name, malloc(A), malloc(B, 100), free(B))
        assert (leaked.answer, leaked.at_exit, leaked.unfulfilled, leaked.bytes) == (Answer.VIOLATED, True, 1, 24)
        running = say(name, malloc(A), malloc(B, 100), free(B), exited=False)
        assert (running.answer, running.unfulfilled, running.witness) == (Answer.NOT_OBSERVED, 0, None)
        correct = say(name, malloc(A), free(A))
        assert (correct.answer, correct.missing) == (Answer.NOT_OBSERVED, ("access",))


def test_what_an_unseen_letter_could_have_put_right_is_no_violation() -> None:
    for text in ("access || X free", "[](free -> X !free) || <>[]here"):  # first the access, at last the word
        assert say(f"address: {text}", malloc(A), free(A), free(A)).answer is Answer.NOT_OBSERVED, text
    assert say("[](free -> X !free) && []!here", malloc(A), free(A), free(A)).answer is Answer.VIOLATED
    assert say("(!free W malloc) && []!here", free(A)).answer is Answer.VIOLATED


# Labels.


def test_labels_of_its_block_end_a_quarantine() -> None:
    freed = [malloc(A), free(A)]
    for name, text in {
        "quarantine": "quarantine_end",
        "revoked-before-reuse": "revoked",
        "zeroed-before-reuse": "zeroed",
    }.items():
        assert say(name, *freed, label(text, address=A), malloc(A)).answer is Answer.HOLDS
        assert say(name, *freed, label(text, address=B), malloc(A)).answer is Answer.VIOLATED


def test_a_label_about_no_block_reaches_every_address_of_its_thread() -> None:
    freed = [malloc(A), malloc(B, thread=1), free(A), free(B, thread=1)]
    found = say("revoked-before-reuse", *freed, label("revoked", 1), malloc(B, thread=1), malloc(A))
    assert (found.violated, found.witness and found.witness.base) == (1, A)


def test_labels_are_letters_only_of_properties_that_name_them() -> None:
    events = [malloc(A), label("here"), free(A)]
    assert say("address: [](malloc -> X free)", *events).answer is Answer.HOLDS
    named = say("address: [](malloc -> X free) || <>[]here", *events)
    assert (named.letters, named.answer) == (3, Answer.VIOLATED)


# The other indexes.


def test_properties_of_blocks_threads_and_the_process() -> None:
    events = [malloc(A, thread=1), free(A, thread=2), malloc(A, thread=1)]
    assert say("block: [](free -> X[]!malloc)", *events).answer is Answer.HOLDS
    assert say("address: [](free -> X[]!malloc)", *events).answer is Answer.VIOLATED
    same = say("thread: !free W malloc", *events)
    assert (same.instances, same.violated, same.witness and same.witness.thread) == (2, 1, 2)
    assert say("global: !free W malloc", *events).instances == 1


def test_a_formula_too_large_for_a_monitor_is_refused() -> None:
    names = " && ".join(f"<>(p{number} && X q{number})" for number in range(12))
    with pytest.raises(TooLargeError):
        say(names, *USE)


# By definition.

DEFINITIONS = [*PROPERTIES, find("[](access -> O malloc)"), find("block: [](free -> X mem_free_end)"), find("<>free")]


@given(
    seed=st.integers(0, 2**32),
    wrong=st.booleans(),
    accesses=st.booleans(),
    exited=st.booleans(),
    one=st.sampled_from(DEFINITIONS),
)
def test_each_word_is_judged_as_finite_words_are_by_definition(
    seed: int, wrong: bool, accesses: bool, exited: bool, one: Property
) -> None:
    events = history(seed, 40, 2, 0)
    if not accesses:
        events = [event for event in events if event.function not in ACCESSING]
    if wrong:
        events = list(mutations(random.Random(seed), events))
    found = evaluate(one, events, quarantine=2, exited=exited)
    words, formula = Words(events, quarantine=2), one.formula
    stream = [
        Occurrence(delivery.letter, values(one.index, delivery), delivery.thread)
        for delivery in words
        if concerns(one, delivery)
    ]
    sliced = slices(stream, one.index, formula.propositions)
    unseen = missing(one, words.observed)
    if unseen:
        blind = certain(formula, frozenset(unseen))
        ends = {value: blind.run(word)[-1] for value, word in sliced.items()}
        verdicts = {value: blind.verdict[end] for value, end in ends.items()}
        ended = {value: blind.at_end[end] for value, end in ends.items()}
    else:
        verdicts = {value: ltl3(formula, word).truth for value, word in sliced.items()}
        ended = {value: ltlf(formula, word, weak=True) for value, word in sliced.items()}
    unfulfilled = {value for value, truth in verdicts.items() if truth is Truth.INCONCLUSIVE and not ended[value]}
    violated = sum(truth is Truth.FALSE for truth in verdicts.values())
    if one.index is Index.THREAD and exited:
        unfulfilled -= words.cut
    assert (found.instances, found.missing) == (len(sliced), unseen)
    if unseen and not violated and not (exited and unfulfilled):
        assert (found.answer, found.violated, found.unfulfilled) == (Answer.NOT_OBSERVED, 0, 0)
    else:
        assert (found.violated, found.unfulfilled) == (violated, len(unfulfilled))


# Tags: the allocator of the specification over memory tagging.


def tagged(policy: TagPolicy, rounds: int) -> PropertyVerdict:
    """What reusing one slot over and over says of tag freshness, by the tags that the memory really had."""
    allocator = ReferenceAllocator(architecture=MTE(policy), capacity=1 << 12)
    events, stale, before = [], [], None
    for _ in range(rounds):
        reply = allocator.request(Event(F.MALLOC, size=24))
        pointer = allocator.pointer(reply.result)
        assert isinstance(pointer, MtePointer)
        events += [reply, allocator.request(Event(F.FREE, address=reply.result))]
        stale.append(pointer.tag == before)
        before = pointer.tag
    told = iter(stale)
    return evaluate(
        find("tag-freshness"), events, facts=lambda event: ["stale_tag"] if next(told) else [], sees=["stale_tag"]
    )


def test_a_policy_that_excludes_the_last_tag_keeps_tags_fresh_and_a_random_one_does_not() -> None:
    assert tagged(HardenedMalloc(), 100).answer is Answer.HOLDS
    assert tagged(RandomTags(), 100).answer is Answer.VIOLATED


def test_what_asks_for_something_to_come_never_holds_of_a_run_that_goes_on() -> None:
    malloc, free = Event(Function.MALLOC, size=24, result=0x1000), Event(Function.FREE, address=0x1000)
    assert evaluate(find("freed-eventually"), [malloc, free], exited=False).answer is Answer.INCONCLUSIVE
    assert evaluate(find("freed-eventually"), [malloc, free], exited=True).answer is Answer.HOLDS
    assert evaluate(find("no-double-free"), [malloc, free], exited=False).answer is Answer.HOLDS
    assert evaluate(find("no-double-free"), [malloc, free, free], exited=False).answer is Answer.VIOLATED
