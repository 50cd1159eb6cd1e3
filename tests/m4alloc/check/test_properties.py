"""The properties of recorded traces: equal to the specification's, and what `verify` says and does about them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.check import verify_page, verify_text
from m4alloc.check.accept import accept_records
from m4alloc.check.joint import Joint
from m4alloc.check.letters import from_trace, from_words, is_plain, noted, words_of
from m4alloc.check.lives import calls_of, lives_of
from m4alloc.check.properties import evaluate, evaluate_trace
from m4alloc.check.verify import verify_trace
from m4alloc.check.verify_report import PropertyFound, Verdict, VerifyReport
from m4alloc.cli.main import main
from m4alloc.trace import format as layout
from m4alloc.trace.format import EndReason
from m4alloc.trace.read import Trace
from spec.acceptor import Acceptor
from spec.event import ACCESSING, MISUSE_CAUGHT, Event, Function
from spec.heap import Block, Heap
from spec.ltl.monitor import monitor
from spec.ltl.truth import Truth
from spec.properties import PROPERTIES, REPORTED, find
from spec.property_verdict import Answer, evaluate_all
from tests.m4alloc.native import ROOT
from tests.m4alloc.schema import faults
from tests.m4alloc.traces import write_trace
from tests.spec.test_history import history, mutations, sequential

F = Function
A, B = 0x10000, 0x20000
SCHEMA = json.loads((ROOT / "docs" / "json-schema" / "verify.json").read_text(encoding="utf-8"))
OWN = (
    find("thread: [](mem_free_start -> X(mem_free_end || access))"),
    find("block: [](free -> N mem_free_end)"),
    find("global: [](access -> O malloc)"),
    find("<>access"),
    find("address: malloc && !malloc"),
    find("block: [](malloc -> <>free) && [](free -> X !access) && []!early"),
    find("global: [](free -> !dirty && X !free) && <>here"),
    find("thread: []!(here && access) && [](mem_free_start -> X mem_free_end)"),
)
LIMIT = 64


def malloc(result: int, size: int = 24, **more: Any) -> Event:
    return Event(F.MALLOC, size=size, result=result, usable=max(size, 32), **more)


def free(address: int, **more: Any) -> Event:
    return Event(F.FREE, address=address, **more)


def traced(folder: Path, events: list[Event], **how: Any) -> Trace:
    """The events as a trace whose quarantine is for blocks of up to 64 usable bytes."""
    path = folder / "t"
    write_trace(path, events, **how)
    raw = bytearray(path.read_bytes())
    at = layout.HEADER.fields["quarantine_limit"][1]  # type: ignore[index]
    raw[at : at + 8] = LIMIT.to_bytes(8, "little")
    path.write_bytes(raw)
    return Trace.open(path)


# The fast form and the specification.


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    threads=st.integers(1, 4),
    quarantine=st.sampled_from((0, 3)),
    wrong=st.booleans(),
    accesses=st.booleans(),
    exited=st.booleans(),
)
def test_traces_are_judged_as_the_specification_judges_them(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    threads: int,
    quarantine: int,
    wrong: bool,
    accesses: bool,
    exited: bool,
) -> None:
    events = history(seed, 50, threads, quarantine * (seed % 2))
    if not accesses:
        events = [event for event in events if event.function not in ACCESSING and event.function is not F.LABEL]
    if wrong:
        events = list(mutations(random.Random(seed), events))
    if threads == 1 and seed % 3 == 0:
        events = sequential(events)
    end = EndReason.EXIT if exited else EndReason.RUNNING
    trace = traced(tmp_path_factory.mktemp("t"), events, quarantine=quarantine, end_reason=end)
    properties = (*PROPERTIES, *OWN)
    expected = evaluate_all(properties, trace.events(), quarantine=quarantine, quarantine_limit=LIMIT, exited=exited)
    assert evaluate_trace(trace, properties) == expected


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), wrong=st.booleans())
def test_forked_children_are_judged_as_the_specification_judges_them(
    tmp_path_factory: pytest.TempPathFactory, seed: int, wrong: bool
) -> None:
    before, after = sequential(history(seed, 80, 1, 0)), history(seed, 40, 2, 0)
    events = sequential(history(seed, 80, 1, 0))[40:] if seed % 2 else after
    if wrong:
        events = [event for event in mutations(random.Random(seed), events) if event.end or not event.begin]
    inherited = lives_of(calls_of(before[:40])).alive_at(2**40)
    heap = Heap()
    for base, size, usable in zip(inherited.base, inherited.size, inherited.usable, strict=True):
        heap.insert(Block(int(base), int(size), int(usable)))
    trace = traced(tmp_path_factory.mktemp("t"), sequential(events) if seed % 2 else events)
    expected = evaluate_all(PROPERTIES, trace.events(), heap=heap)
    acceptor = accept_records(trace.records, Acceptor(heap=heap.copy()), order=trace.order())
    assert evaluate(trace, PROPERTIES, acceptor, inherited) == expected


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), threads=st.integers(1, 4))
def test_columns_of_a_plain_trace_are_the_letters_of_the_specification(
    tmp_path_factory: pytest.TempPathFactory, seed: int, threads: int
) -> None:
    events = [event for event in history(seed, 60, threads, 0) if event.function not in (*ACCESSING, F.LABEL)]
    trace = traced(tmp_path_factory.mktemp("t"), events)
    assert is_plain(trace.records)
    acceptor = accept_records(trace.records, Acceptor(), order=trace.order())
    fast, slow = from_trace(trace, noted(trace, acceptor)), from_words(words_of(trace))
    places = range(len(fast.code))
    assert [fast.delivery(place) for place in places] == [slow.delivery(place) for place in places]
    assert (fast.observed, fast.cut) == (slow.observed, slow.cut)


def test_labels_are_left_to_the_specification(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    events = [malloc(A), free(A), Event(F.LABEL, label="revoked"), malloc(A)]
    trace = write_trace(folder, events)
    records = np.array(trace.records)
    records["address"][2] = 1
    labelled = Trace(trace.path, trace.header, records, ("revoked",))
    property_ = find("revoked-before-reuse")
    assert [one.answer for one in evaluate_trace(labelled, [property_])] == [Answer.HOLDS]
    without = Trace(trace.path, trace.header, records, ("another",))
    assert [one.answer for one in evaluate_trace(without, [property_])] == [Answer.NOT_OBSERVED]


LONG_MEMORY = (
    "<>(malloc && X<>(malloc && X<>malloc))",
    "[](free -> X X X !free)",
    "malloc && !malloc",
    "!free W access",
)
LETTERS: list[list[str]] = [["malloc"], ["access"], ["free"], []]


@settings(max_examples=60)
@given(data=st.data())
def test_a_joint_machine_steps_each_monitor_as_it_steps_alone(data: st.DataObject) -> None:
    names = ("F2", "S1", "no-double-free", "no-double-allocation", *(f"address: {text}" for text in LONG_MEMORY))
    monitors = [monitor(find(name).formula) for name in data.draw(st.lists(st.sampled_from(names), max_size=4))]
    stepped = data.draw(st.lists(st.booleans(), min_size=len(LETTERS), max_size=len(LETTERS)))  # of the first monitor
    letters = [
        [one.number(frozenset(letter)) if which or own else None for which, one in enumerate(monitors)]
        for letter, own in zip(LETTERS, stepped, strict=True)
    ]
    rng, length = data.draw(st.randoms(use_true_random=False)), data.draw(st.integers(0, 80))
    # Mostly what programs do, malloc after free after malloc, or anything at all.
    order, words = data.draw(st.sampled_from((0.1, 1.0))), data.draw(st.integers(1, 9))
    keys = [rng.randrange(words) for _ in range(length)]
    usual = [(keys[:place].count(key) * 2) % 4 for place, key in enumerate(keys)]
    codes = [rng.randrange(4) if rng.random() < order else code for code in usual]
    joint = Joint(monitors, letters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("m4alloc.check.joint._SAMPLE", data.draw(st.sampled_from((3, 4096))))
        patch.setattr("m4alloc.check.joint._ROUNDS", data.draw(st.sampled_from((0, 3))))
        states, first = joint.run(np.array(keys, np.int64), np.array(codes, np.int64), words)
    found: list[list[int | None]] = [[None] * words for _ in monitors]
    alone = [[one.initial for one in monitors] for _ in range(words)]
    for place, (key, code) in enumerate(zip(keys, codes, strict=True)):
        for which, (one, letter) in enumerate(zip(monitors, letters[code], strict=True)):
            if letter is None:
                continue
            alone[key][which] = one.step(alone[key][which], letter)
            if one.verdict[alone[key][which]] is Truth.FALSE and found[which][key] is None:
                found[which][key] = place
    assert [list(joint.parts[state]) for state in states] == alone
    assert joint.violated == [sum(place is not None for place in places) for places in found]
    assert first == [min((place for place in places if place is not None), default=None) for places in found]


def test_a_word_without_a_letter_of_its_own_violates_nothing() -> None:
    never = monitor(find("address: malloc && !malloc").formula)
    joint = Joint([never], [[None], [0]])
    states, first = joint.run(np.array([0, 1, 0]), np.array([0, 1, 0]), 2)
    assert (joint.violated, first, len(states)) == ([1], [1], 2)


# The report.


def reported(tmp_path: Path, events: list[Event], *names: str, **how: Any) -> VerifyReport:
    traced(tmp_path, events, **how)
    return verify_trace(tmp_path / "t", properties=names)


def one(report: VerifyReport, name: str) -> PropertyFound:
    return next(found for found in report.properties if found.name == name)


def test_the_report_has_an_answer_for_each_property_and_none_without_evidence(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A), malloc(B, 100), free(A)])
    assert [found.name for found in report.properties] == [property_.name for property_ in REPORTED]
    answers = {found.name: found.answer for found in report.properties if found.answer != "not observed"}
    assert answers == {
        "freed-eventually": "VIOLATED",
        "no-double-free": "HOLDS",
        "no-double-allocation": "HOLDS",
        "no-overlap": "HOLDS",
        "allocation-ends": "HOLDS",
        "free-ends": "HOLDS",
    }
    assert (report.verdict, report.exit_status) == (Verdict.HOLDS, 0)
    lines = verify_text.lines(report)
    start = next(place for place, line in enumerate(lines) if line.startswith("properties"))
    assert lines[start : start + 4] == [
        "properties   of the allocator: no-double-allocation HOLDS   no-overlap HOLDS   allocation-ends HOLDS",
        "                               free-ends HOLDS",
        "             of the program: freed-eventually VIOLATED at exit (1 block, 100 B)   no-double-free HOLDS",
        "             not observed: access-only-while-allocated, accessed-then-freed, access-in-bounds, "
        "initialised-before-read, no-early-reuse, quarantine, tag-freshness, zeroed-before-reuse, handed-out-zero, "
        "revoked-before-reuse",
    ]
    assert list(faults(json.loads(json.dumps(report.to_json())), SCHEMA)) == []


def test_a_leak_counts_only_when_it_is_asked_for(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A)], "freed-eventually")
    assert (report.verdict, report.exit_status) == (Verdict.VIOLATED, 1)
    text = verify_text.lines(report)
    assert "verdict      VIOLATED (freed-eventually violated)" in text
    assert text[-3:] == [
        "claim        freed-eventually: Every block is freed in the end.  address: [](malloc -> <>free)",
        f"replay       m4alloc verify --standard c17,glibc --property freed-eventually --trace {tmp_path}/t",
        f"file         {tmp_path}/t",
    ]
    assert reported(tmp_path, [malloc(A)]).exit_status == 0


def test_a_killed_programs_blocks_are_no_leak_and_no_answer(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A)], "freed-eventually", end_reason=EndReason.RUNNING)
    assert one(report, "freed-eventually").answer == "INCONCLUSIVE"
    assert (report.verdict, report.exit_status) == (Verdict.UNDECIDED, 3)
    assert "no answer for freed-eventually" in verify_text.verdict(report)
    assert "freed-eventually INCONCLUSIVE (1 block, 24 B so far)" in "\n".join(verify_text.lines(report))


def test_a_property_that_was_asked_for_and_not_observed_leaves_the_verdict_open(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A), free(A)], "S1")
    assert (report.verdict, report.exit_status) == (Verdict.UNDECIDED, 3)
    assert "             access-only-while-allocated: no access was recorded" in verify_text.lines(report)


def test_the_programs_double_free_is_told_and_counts_only_when_asked_for(tmp_path: Path) -> None:
    events = [malloc(A), free(A), free(A, flags=MISUSE_CAUGHT)]
    report = reported(tmp_path, events)
    assert (one(report, "no-double-free").answer, report.exit_status) == ("VIOLATED", 0)
    assert (
        "             no-double-free: violated at event 5 of thread 0, 24 bytes at 0x10000, handed out at event 1. "
        "Only what was handed out is freed, and only once."
    ) in verify_text.lines(report)
    assert reported(tmp_path, events, "no-double-free").exit_status == 1


def test_the_allocators_fault_counts_unless_the_program_misused_it_first(tmp_path: Path) -> None:
    twice = [malloc(A), malloc(A)]
    report = reported(tmp_path, twice)
    assert (report.verdict, [found.name for found in report.failed_properties]) == (
        Verdict.VIOLATED,
        ["no-double-allocation", "no-overlap"],
    )
    late = reported(tmp_path, [malloc(B), free(B), free(B), *twice])
    assert one(late, "no-double-allocation").after_misuse == 5
    assert (late.verdict, late.failed_properties) == (Verdict.HOLDS, ())
    assert "(after the program's own misuse at event 5)" in "\n".join(verify_text.lines(late))
    caught = reported(tmp_path, [malloc(B), free(B), free(B, flags=MISUSE_CAUGHT), *twice])
    assert caught.verdict is Verdict.VIOLATED


def test_a_formula_of_ones_own_is_judged_and_named_by_its_text(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A), malloc(B), free(A)], "global: [](malloc -> X !malloc)")
    found = report.properties[-1]
    assert (found.name, found.answer, found.asked, found.event) == (
        "global: [](malloc -> X !malloc)",
        "VIOLATED",
        True,
        3,
    )
    assert report.exit_status == 1
    assert "'global: [](malloc -> X !malloc)'" in verify_text.replay(report)


def test_children_inherit_blocks_and_leak_only_their_own(tmp_path: Path) -> None:
    write_trace(tmp_path / "t.1.0", [malloc(A), malloc(B)], pid=1)
    child = [free(A), malloc(A, 50)]
    write_trace(tmp_path / "t.2.0", child, pid=2, parent="t.1.0", fork_sequence=4)
    index = {"traces": ["t.1.0", "t.2.0"]}
    report = from_index(tmp_path, index)
    found = one(report, "freed-eventually")
    assert (found.unfulfilled, found.bytes) == (3, 24 + 24 + 50)
    assert one(report, "no-double-free").answer == "HOLDS"


def from_index(folder: Path, index: dict[str, Any]) -> VerifyReport:
    from m4alloc.check.images import Judges
    from m4alloc.check.verify_properties import judge_properties

    traces = [Trace.open(folder / name) for name in index["traces"]]
    judged = Judges(traces, "c17,glibc").run()
    report = verify_trace(folder / index["traces"][0])
    return replace(report, properties=judge_properties(judged))


def test_the_page_shows_each_property_with_its_formula(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A), malloc(A), free(B)], "<>[]free")
    text = verify_page.page(report)
    assert "Order in time" in text and "[](malloc -&gt; X(!malloc W free))" in text
    assert '<span class="bad">VIOLATED (1 address): first at event 3' in text
    assert "no access was recorded" in text and "no tag of memory was recorded" in text
    assert text.count("<h3>What the") == 3 and "How to read the answers and the formulas" in text
    assert "3 properties of order in time that had to hold did not." in text


def test_the_page_tells_a_leak_that_was_asked_for_from_a_fault_of_the_allocator(tmp_path: Path) -> None:
    text = verify_page.page(reported(tmp_path, [malloc(A)], "freed-eventually"))
    assert "replies that no allocator may give" not in text
    assert "1 property of order in time that had to hold did not." in text
    assert '<span class="bad">VIOLATED at exit (1 block, 24 B); first event 1 of thread 0, 24 bytes at 0x10000' in text
    assert "m4alloc verify --standard c17,glibc --property freed-eventually --trace" in text
    assert "had to hold" not in verify_page.page(reported(tmp_path, [malloc(A)]))


def test_what_is_certain_is_violated_although_accesses_were_not_recorded(tmp_path: Path) -> None:
    report = reported(tmp_path, [malloc(A), free(A), free(A, flags=MISUSE_CAUGHT)], "F2")
    found = one(report, "whole-life")
    assert (found.answer, found.missing, report.exit_status) == ("VIOLATED", ("access",), 1)
    assert "properties   asked for: whole-life VIOLATED (1 address)" in verify_text.lines(report)
    assert list(faults(json.loads(json.dumps(report.to_json())), SCHEMA)) == []
    correct = reported(tmp_path, [malloc(A), free(A)], "F2")
    assert (one(correct, "whole-life").answer, correct.exit_status) == ("not observed", 3)


def test_what_no_event_raises_is_not_observed_and_a_slip_of_the_pen_is_named(tmp_path: Path) -> None:
    texts = "[]!here", "[](mallocs -> <>fre)", "<>access"
    report = reported(tmp_path, [malloc(A), free(A)], *texts)
    assert report.exit_status == 3
    told = verify_text.lines(report)
    assert "             address: []!here: nothing recorded is called here" in told
    assert (
        "             address: [](mallocs -> <>fre): nothing recorded is called fre or mallocs "
        "(did you mean free and malloc?)"
    ) in told
    assert "             address: <>access: no access was recorded" in told
    assert "address: []!here: nothing recorded is called here, address: [](mallocs" in verify_text.verdict(report)
    broken = reported(tmp_path, [malloc(A), free(A)], "[](malloc -> <>fre) && []!free")
    told = verify_text.lines(broken)
    assert broken.exit_status == 1
    assert any(line.endswith(": nothing recorded is called fre (did you mean free?)") for line in told), told


def test_a_leak_that_was_asked_for_is_told_with_the_first_block(tmp_path: Path) -> None:
    told = verify_text.lines(reported(tmp_path, [malloc(A), malloc(B, 100), free(A)], "[](malloc -> F free)"))
    assert (
        "             freed-eventually: violated at exit; it concerns first event 3 of thread 0, 100 bytes at 0x20000. "
        "Every block is freed in the end."
    ) in told


def test_where_no_rule_was_observed_nothing_is_decided(tmp_path: Path) -> None:
    hung = Event(F.MALLOC, size=24, begin=1)
    report = reported(tmp_path, [hung], end_reason=EndReason.RUNNING)
    assert (report.verdict, report.exit_status) == (Verdict.UNDECIDED, 3)
    assert "Nothing could be decided." in verify_page.page(report)


# The command.


def test_an_unknown_property_is_refused_with_the_names_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--property", "no-leak", "--trace", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "no property is called no-leak. The properties are published, access-only-while-allocated, " in told
    assert main(["verify", "--property", "[](malloc -> ", "--", "true"]) == 2
    assert "the formula ends where an operand is missing" in capsys.readouterr().err
    assert main(["verify", "--property", "adress: <>free", "--", "true"]) == 2
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "m4alloc verify: line 1, column 1: adress is no index; a property is of address, block, thread, global",
        "  adress: <>free",
        "  ^",
    ]
    many = f"[](malloc -> {'X ' * 20}free)"
    traced(tmp_path, [malloc(A), free(A)])
    assert main(["verify", "-o", "-", "--property", many, "--trace", str(tmp_path / "t")]) == 2
    assert "more than" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["verify", "--trace"], ["replay"]])
def test_a_folder_is_refused_with_what_is_wanted(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, str(tmp_path)]) == 2
    wanted = f"{tmp_path} is a folder; a recording in it is wanted: its index, or one of its traces\n"
    assert capsys.readouterr().err == f"m4alloc {words[0]}: {wanted}"


def test_the_library_is_listed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "freed-eventually  address: [](malloc -> <>free)\n    Every block is freed in the end.\n" in listed
    assert all(property_.name in listed for property_ in PROPERTIES)


def test_the_command_judges_properties_of_a_recording_and_exits_as_they_came_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traced(tmp_path, [malloc(A), malloc(B), free(A)])
    trace = str(tmp_path / "t")
    for names, status in (
        ([], 0),
        (["no-double-free"], 0),
        (["no-double-free", "freed-eventually"], 1),
        (["S1"], 3),
        (["global: [](malloc -> X(malloc || free))"], 0),
    ):
        words = [word for name in names for word in ("--property", name)]
        assert main(["verify", "-o", "-", *words, "--trace", trace]) == status, names
    capsys.readouterr()
    assert main(["verify", "-o", "-", "--json", "--property", "L1", "--trace", trace]) == 3
    report = json.loads(capsys.readouterr().out)
    assert list(faults(report, SCHEMA)) == []
    assert [one["name"] for one in report["properties"] if one["asked"]] == ["accessed-then-freed"]
