"""Properties of labels: judged as the specification judges them, on histories, on programs and on the command line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.check.accept import accept_records
from m4alloc.check.letters import from_trace, from_words, is_plain, noted, words_of
from m4alloc.check.properties import evaluate_trace
from m4alloc.check.verify import verify_trace
from m4alloc.check.verify_report import Verdict
from m4alloc.cli.main import main
from m4alloc.lib import include
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from spec.acceptor import Acceptor
from spec.event import ACCESSING, Event, Function
from spec.properties import PROPERTIES, find
from spec.property_verdict import Answer, evaluate_all
from tests.m4alloc.trace.recording import program, recorded
from tests.spec.test_history import history, sequential

ENDS_FIRST = find("thread: [](request_start -> X(!request_start W request_end))")
FREED_BY_THEN = find("address: [](malloc && (!request_end S request_start) -> (!request_end W free))")
NO_MALLOC = find("thread: [](interrupt_start -> (!malloc U interrupt_end))")
ANSWERED = find("thread: [](mem_allocate_start -> X(!mem_allocate_start U mem_allocate_end))")
OWN = (
    ENDS_FIRST,
    FREED_BY_THEN,
    NO_MALLOC,
    ANSWERED,
    find("block: [](malloc -> (!request_end W free))"),
    find("global: [](request_start -> <>request_end) && []!never"),
    find("address: [](parsed -> O malloc)"),
    find("thread: [](mem_free_start -> X mem_free_end)"),
)
NAMES = ("request_start", "request_end", "interrupt_start", "interrupt_end", "parsed", "mem_allocate_start", "")


def labelled(seed: int, threads: int, about: bool, numbered: bool) -> list[Event]:
    """A random history with labels strewn into it, some about blocks if `about`."""
    rng = random.Random(seed)
    events = [event for event in history(seed, 40, threads, 0) if event.function not in (*ACCESSING, Function.LABEL)]
    found: list[Event] = []
    for event in sequential(events) if not numbered else events:
        # Numbers are spread so that a label fits before each begin.
        found.append(event._replace(begin=event.begin * 10, end=event.end * 10))
        if rng.random() < 0.4:
            address = rng.choice([other.result for other in found]) if about and rng.random() < 0.5 else 0
            begin = event.begin * 10 + 2 if event.begin else 0
            thread, name = rng.choice(events).thread, rng.choice(NAMES)
            label = Event(Function.LABEL, thread, address, begin=begin, end=begin and begin + 1, label=name)
            found.append(label)
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), threads=st.integers(1, 3), about=st.booleans(), numbered=st.booleans())
def test_labels_are_judged_as_the_specification_judges_them(
    tmp_path_factory: pytest.TempPathFactory, seed: int, threads: int, about: bool, numbered: bool
) -> None:
    path = tmp_path_factory.mktemp("t") / "t"
    write(path, labelled(seed, threads, about, numbered))
    trace = Trace.open(path)
    properties = (*PROPERTIES, *OWN)
    assert evaluate_trace(trace, properties) == evaluate_all(properties, trace.events(), quarantine_limit=0)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), threads=st.integers(1, 3), numbered=st.booleans())
def test_labels_about_no_block_are_letters_of_the_columns(
    tmp_path_factory: pytest.TempPathFactory, seed: int, threads: int, numbered: bool
) -> None:
    path = tmp_path_factory.mktemp("t") / "t"
    write(path, labelled(seed, threads, False, numbered))
    trace = Trace.open(path)
    assert is_plain(trace.records)
    acceptor = accept_records(trace.records, Acceptor(), labels=trace.labels, order=trace.order())
    fast, slow = from_trace(trace, noted(trace, acceptor)), from_words(words_of(trace))
    places = range(len(fast.code))
    assert [fast.delivery(place) for place in places] == [slow.delivery(place) for place in range(len(slow.code))]
    assert (fast.observed, fast.cut) == (slow.observed, slow.cut)


@pytest.mark.parametrize(
    ("how", "answers"),
    [
        ("requests", (Answer.HOLDS, Answer.HOLDS, Answer.NOT_OBSERVED, Answer.HOLDS)),
        ("leak", (Answer.HOLDS, Answer.VIOLATED, Answer.NOT_OBSERVED, Answer.HOLDS)),
        ("pool", (Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.HOLDS)),
        ("overlap", (Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.VIOLATED)),
        ("inside", (Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.VIOLATED, Answer.HOLDS)),
        ("beside", (Answer.NOT_OBSERVED, Answer.NOT_OBSERVED, Answer.HOLDS, Answer.HOLDS)),
    ],
)
def test_a_recorded_programs_labels_are_judged(how: str, answers: tuple[Answer, ...], tmp_path: Path) -> None:
    trace = recorded([program("labels.c", f"-I{include()}"), how], tmp_path).only
    found = evaluate_trace(trace, (ENDS_FIRST, FREED_BY_THEN, NO_MALLOC, ANSWERED))
    assert tuple(one.answer for one in found) == answers


def test_the_witness_of_a_leak_between_labels_is_the_label_and_the_block(tmp_path: Path) -> None:
    trace = recorded([program("labels.c", f"-I{include()}"), "leak"], tmp_path).only
    (found,) = evaluate_trace(trace, (FREED_BY_THEN,))
    events = list(trace.events())
    leaked = [event for event in events if event.function is Function.MALLOC][1]
    ended = [event for event in events if event.label == "request_end"][1]
    assert found.witness is not None
    assert (found.witness.event, found.witness.base, found.witness.born) == (ended.begin, leaked.result, leaked.begin)


@pytest.mark.parametrize(
    ("how", "property_", "status"),
    [
        ("requests", FREED_BY_THEN.text, 0),
        ("leak", FREED_BY_THEN.text, 1),
        ("inside", "thread: [](interrupt_start -> (!malloc U interrupt_end))", 1),
        ("requests", "thread: [](interrupt_start -> (!malloc U interrupt_end))", 3),
    ],
)
def test_verify_judges_a_property_of_labels_that_is_asked_for(
    how: str, property_: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded([program("labels.c", f"-I{include()}"), how], tmp_path)
    assert main(["verify", "-o", "-", "--property", property_, "--trace", str(tmp_path / "trace")]) == status
    shown = capsys.readouterr().out
    assert ("nothing recorded is called interrupt_end or interrupt_start" in shown) == (status == 3)


def test_labels_are_no_requests_of_the_report(tmp_path: Path) -> None:
    trace = recorded([program("labels.c", f"-I{include()}"), "leak"], tmp_path).only
    report = verify_trace(trace.path)
    assert (trace.used, report.requests, report.checked) == (14, 5, 5)
    assert report.verdict is Verdict.HOLDS
