"""Heap scripts: nothing is lost on the way through them, errors say where, and claims are held to what happened."""

from __future__ import annotations

import doctest
import random
import re
from functools import cache
from pathlib import Path

import lark
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec import script
from spec.acceptor import Acceptor
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.script_reader import parse
from spec.script_words import DIRECTIVES
from spec.script_writer import render

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "heap-script.md"
SCRIPTS = sorted((ROOT / "tests" / "scripts").rglob("*.heap"))

numbers = st.sampled_from((0, 1, 7, 24, 0x1000, 0x1008, 2**63)) | st.integers(0, 2**64 - 1)
events = st.builds(
    Event,
    function=st.sampled_from(Function),
    thread=st.integers(0, 3),
    address=st.sampled_from((0, 0x1000, 0x1008, 0x1010)) | numbers,
    size=numbers,
    count=st.sampled_from((1, 1, 1, 0, 3)) | numbers,
    alignment=st.sampled_from((0, 0, 16)) | numbers,
    result=st.sampled_from((0, 0x1000, 0x1010)) | numbers,
    errno=st.sampled_from((0, 0, 12, 22, 4095)),
    usable=st.sampled_from((-1, -1, 32)) | numbers,
    intact=st.sampled_from((-1, -1, 32)) | numbers,
    begin=st.just(0),
    end=st.just(0),
    time_ns=st.just(0),
    site=st.integers(0, 2),
    flags=st.integers(0, 31),
    label=st.sampled_from(("", "", "start", "free", "two words", 'quo"te', "\n\u2028#", "ünïcode")),
)


def fitting(event: Event) -> Event:
    """The event with a byte to write where it fills: the text form has no other."""
    return event._replace(result=event.result & 0xFF) if event.function == Function.FILL else event


@given(st.lists(events.map(fitting), max_size=40))
def test_history_survives_the_text_form(history: list[Event]) -> None:
    text = render(script.from_events(history))
    assert script.to_events(parse(text)) == history
    assert render(parse(text)) == text


@given(st.lists(events.map(fitting), max_size=20), st.integers(0, 2**32))
def test_order_of_a_concurrent_history_survives_the_text_form(history: list[Event], seed: int) -> None:
    rng = random.Random(seed)
    clock = 0
    numbered: list[Event] = []
    for event in history:
        clock += rng.randint(1, 3)
        numbered.append(
            event._replace(begin=clock, end=rng.choice((0, clock + rng.randint(1, 9) * 100 + len(numbered))))
        )
    assert script.to_events(parse(render(script.from_events(numbered)))) == numbered


def test_times_are_what_the_text_form_loses() -> None:
    event = Event(Function.MALLOC, size=8, result=0x1000, time_ns=5)
    assert script.to_events(script.from_events([event])) == [event._replace(time_ns=0)]


def test_blocks_are_named_in_the_order_of_their_requests() -> None:
    history = [Event(Function.MALLOC, size=8, result=0x1000 + 16 * place) for place in range(28)]
    names = [step.name for step in script.from_events(history).steps]
    assert names == [*"abcdefghijklmnopqrstuvwxyz", "b26", "b27"]


def test_pointer_is_written_by_the_name_of_the_block_it_points_into() -> None:
    history = [
        Event(Function.MALLOC, size=24, result=0x1000),
        Event(Function.REALLOC, address=0x1000, size=48, result=0x1000),
        Event(Function.STORE, address=0x1008, size=4),
        Event(Function.FILL, address=0x1000, size=48, result=0x5A),
        Event(Function.REALLOC, address=0x1000, size=96, result=0x2000),
        Event(Function.FREE, address=0x1000),
        Event(Function.FREE, address=0x5000),
    ]
    assert render(script.from_events(history)).splitlines() == [
        "a = malloc 24 -> 0x1000",
        "a = realloc a 48 -> 0x1000",
        "store a 8 4",
        "fill a 0x5a",
        "b = realloc a 96 -> 0x2000",
        "free a",
        "free 0x5000",
    ]


def test_name_is_that_of_the_block_at_the_time_of_the_call() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@1 [3..6] b = malloc 8 -> 0x1000\n@2 [4..5] free a\n[7..8] free b\n"
    assert render(script.from_events(script.to_events(parse(text)))) == text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_files_are_read_and_written_back(path: Path) -> None:
    told = parse(path.read_text(), path.name)
    again = parse(render(told), path.name)
    assert render(again) == render(told)
    assert [step.event for step in again.steps] == [step.event for step in told.steps]
    assert again.settings == told.settings


ERRORS = {
    "a = malloc big": "1:12: expected the size, a number, found 'big'",
    "a = malloc": "1:11: expected the size, a number, found the end of the line",
    "a = mallok 24": "1:5: expected a function, a label, 'expect' or 'given', found 'mallok'",
    "\nfree b": "2:6: expected the name of a block, an address, or NULL that an earlier line names, found 'b'",
    "free = malloc 8": "1:1: expected a name for the block ('free' is a word of the language), found 'free'",
    "a = free NULL": "1:1: expected no name: free hands out no block, found 'a'",
    "free NULL -> NULL": "1:11: expected no reply: free returns nothing, found '->'",
    "a = malloc 24 -> ": "1:17: expected NULL or an address, a number, found the end of the line",
    "a = malloc 24 useable 32": "1:15: expected an attribute, a claim after '!', or the end of the line, "
    "found 'useable'",
    "a = malloc 24 32": "1:15: expected the end of the line, found '32'",
    "@x malloc 24": "1:2: expected a thread number, a number, found 'x'",
    "[1-2] malloc 24": "1:3: expected '..', found '-'",
    "[..2] malloc 24": "1:2: expected the number at which the call began, a number, found '..'",
    "fill 0x1000 1": "1:14: expected 'size' and the bytes to fill, or a whole block by its name, found the end of "
    "the line",
    "fill 0x1000 256 size 1": "1:13: expected a byte, at most 0xff, found '256'",
    "malloc 8 ! violates rule": "1:21: expected the name of a rule of the contract, found 'rule'",
    "malloc 8 ! sane a b": "1:12: expected a claim: misuse, violates, caught, disjoint, same, or the name of a block "
    "that an earlier line names, found 'sane'",
    "a = malloc 8 ! a gone": "1:18: expected live, dead, null or aligned, found 'gone'",
    "a = malloc 8\nexpect caught": "2:8: expected a claim about a block; 'caught' is about a call and stands on its "
    "line, after '!', found 'caught'",
    "given speed 8": "1:7: expected one of standard, quarantine, promises, arena, page, observes, found 'speed'",
    "given standard c99": "1:16: expected the name of a standard (standard 'c99' is unknown; known are c17, c23, "
    "posix, glibc, cheri, alone or joined by commas), found 'c99'",
    "free NULL\ngiven page 4096": "2:1: expected 'given' before the first step, found 'given'",
    "given observes time": "1:16: expected what 'observes' takes: errno, misuse, whole, found 'time'",
    "given promises speed": "1:16: expected what 'promises' takes: calloc-zeroes-usable, found 'speed'",
    'label "x\\q"': "1:7: expected a text with the escapes of JSON (Invalid \\escape), found '\"x\\\\q\"'",
    "label ->": "1:7: expected a label, a word or a text in \"...\", found '->'",
    "malloc 8 $": "1:10: '$' is no part of a heap script",
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_where_and_what_was_expected(text: str) -> None:
    with pytest.raises(script.ScriptError) as caught:
        parse(text, "x.heap")
    assert str(caught.value) == f"x.heap:{ERRORS[text]}"


def test_history_of_a_script_without_replies_is_refused() -> None:
    with pytest.raises(script.ScriptError, match=r"^<script>:2:1: malloc has no reply \('-> ...'\): run the script"):
        script.to_events(parse("free NULL\na = malloc 24"))


@cache
def published() -> lark.Lark:
    found = re.search(r"```lark\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return lark.Lark(found[1], parser="lalr")


def grammatical(text: str) -> bool:
    try:
        published().parse(text)
    except lark.exceptions.LarkError:
        return False
    return True


BEYOND_THE_GRAMMAR = (
    "that an earlier line names",
    "is a word of the language",
    "'given' before the first step",
    "or a whole block by its name",
    "a byte, at most 0xff",
    "with the escapes of JSON",
    "the name of a standard",
    "the name of a rule",
    "expected one of double-free",
    "an attribute, a claim after",  # an error name that no system has
)

WORDS = re.findall(
    r"\S+",
    """a b malloc calloc realloc free usable_size load fill label new delete = -> @ [ .. ] ! + - NULL 0x1000 24 7 usable
    intact EINVAL errno errno-changed never-returned site address expect given standard c17 quarantine limit observes
    misuse promises calloc-zeroes-usable whole
    double-free violates result-disjoint caught disjoint same live aligned "text" # 8 2""",
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_published_grammar_admits_the_scripts(path: Path) -> None:
    assert grammatical(path.read_text())


@given(st.data())
def test_published_grammar_and_reader_agree(data: st.DataObject) -> None:
    lines = [line for path in SCRIPTS for line in path.read_text().splitlines() if line and line[0] != "#"]
    tokens = re.findall(r'"[^"]*"|->|\.\.|[@\[\]=+!]|[\w-]+', data.draw(st.sampled_from(sorted(lines))))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(tokens)))
        tokens[place : place + data.draw(st.integers(0, 1))] = data.draw(st.lists(st.sampled_from(WORDS), max_size=1))
    text = " ".join(tokens)
    try:
        parse(text)
    except script.ScriptError as error:
        assert not grammatical(text) or any(phrase in error.message for phrase in BEYOND_THE_GRAMMAR), (text, error)
    else:
        assert grammatical(text), text


def test_docs_hold() -> None:
    flags = doctest.IGNORE_EXCEPTION_DETAIL
    assert doctest.testfile(str(DOCS), module_relative=False, optionflags=flags).failed == 0


# Running.


class Stub:
    """Answers every allocation with the next of some addresses, and frees nothing."""

    def __init__(self, *addresses: int) -> None:
        self.addresses = list(addresses)

    def request(self, event: Event) -> Event:
        return event._replace(result=self.addresses.pop(0)) if event.function == Function.MALLOC else event


def test_example_of_the_design_fails_on_an_allocator_that_hands_out_a_block_twice() -> None:
    found = re.search(r"```heap\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    outcome = script.run(parse(found[1], "twice.heap"), Stub(0x1000, 0x1020, 0x1000, 0x1000))
    assert outcome.failures == [
        "twice.heap:7:26: expected disjoint c d, but block #3 (24 bytes at 0x1000) and block #4 (24 bytes at 0x1000) "
        "share bytes"
    ]
    assert [str(finding).split(":")[0] for finding in outcome.unclaimed] == ["reuse-only-after-free"]
    assert script.run(parse(found[1]), ReferenceAllocator(capacity=4096)).ok


def test_replies_in_a_script_are_not_told_to_the_allocator() -> None:
    seen: list[Event] = []

    class Spy(Stub):
        def request(self, event: Event) -> Event:
            seen.append(event)
            return super().request(event)

    script.run(parse("[1..2] a = malloc 24 -> 0x1000 usable 32\nfill a 0x5a\n"), Spy(0x2000))
    assert seen == [
        Event(Function.MALLOC, size=24),
        Event(Function.FILL, address=0x2000, size=24, result=0x5A),
    ]


CLAIMS = {
    "a = malloc 8 -> 0x1000\nexpect a null": "expected a null, but it is 0x1000",
    "a = malloc 8 -> 0x1000\nexpect a aligned 4097": "expected a aligned 4097, but it is 0x1000",
    "a = malloc 8 -> NULL ENOMEM\nexpect a live": "expected a live, but it never was",
    "a = malloc 8 -> 0x1000\nfree a\nexpect a live": "expected a live, but block #1 (8 bytes at 0x1000) is dead",
    "a = malloc 8 -> 0x1000\nb = malloc 8 -> 0x2000 ! same a b": "expected same a b, but they are 0x1000 and 0x2000",
    "free NULL ! caught": "expected caught, but the call was served",
    "free NULL ! misuse double-free": "expected misuse double-free, but found nothing",
    "a = malloc 8 -> 0x1000\nfree a\nb = malloc 8 -> 0x2000\nfree a ! misuse double-free b": "expected misuse "
    "double-free b, but the call names 0x1000",
    "a = malloc 9 -> 0x1001 ! violates result-disjoint": "expected violates result-disjoint, but found "
    "result-aligned-fundamental",
}


@pytest.mark.parametrize("text", CLAIMS)
def test_claim_that_does_not_hold_says_what_is_so(text: str) -> None:
    outcome = script.check(parse(text))
    assert [failure.split(": ", 1)[1] for failure in outcome.failures] == [CLAIMS[text]]
    assert not outcome.ok


def test_claims_hold_at_their_place() -> None:
    text = "a = malloc 8 -> 0x1000 ! a live ! a aligned 16\nexpect a live\nfree a ! a dead\nb = malloc 8 -> 0x1000\n"
    assert script.check(parse(text + "expect b live\nexpect a dead\nexpect same a b")).failures == []


def test_expect_waits_for_the_calls_that_ended_before_the_next_begins() -> None:
    text = "[1..4] a = malloc 8 -> 0x1000\nexpect a live\n[5..6] free a\nexpect a dead"
    assert script.check(parse(text)).failures == []


def test_settings_are_those_of_the_acceptor() -> None:
    text = "given standard c23 posix\ngiven quarantine 3 limit 64\ngiven promises calloc-zeroes-usable\n"
    text += "given arena 0x1000 0x2000\ngiven page 4096\n"
    told = parse(text + "given observes errno misuse\n")
    acceptor = Acceptor(**told.settings.arguments())  # type: ignore[arg-type]
    assert acceptor.contract.name == "c23,posix"
    assert (acceptor.window.length, acceptor.window.limit, acceptor.span) == (3, 64, (0x1000, 0x2000))
    assert (acceptor.page, acceptor.observes) == (4096, 3)
    assert acceptor.contract.promises == {"calloc-zeroes-usable"}
    assert render(told) == text + "given observes errno misuse\n"


# Directives.


class Counting:
    """Hands out one address after another and notes what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def request(self, event: Event) -> Event:
        self.seen.append(event)
        return event._replace(result=0x1000 * len(self.seen)) if event.function == Function.MALLOC else event


def test_docs_list_the_directives_as_they_are() -> None:
    found = DOCS.read_text().split("<!-- directives -->\n")[1].split("\n<!-- end of directives -->")[0]
    rows = [f"| `{name}` | {sentence} |" for name, sentence in DIRECTIVES.items()]
    assert found == "\n".join(["| Label | What is done |", "|---|---|", *rows])


def test_repeated_steps_are_carried_out_as_often_as_said_and_are_the_history() -> None:
    allocator = Counting()
    text = (
        "label start\nlabel repeat size 2\na = malloc 8\nlabel repeat size 3\nfill a 0x5a\nlabel end-repeat\nfree a\n"
    )
    outcome = script.run(parse(text + "label end-repeat\nexpect a dead"), allocator)
    names = ["LABEL", *["MALLOC", "FILL", "FILL", "FILL", "FREE"] * 2]
    assert [event.function.name for event in outcome.events] == names
    assert [event.address for event in outcome.events if event.function == Function.FREE] == [0x2000, 0x7000]
    assert allocator.seen == [
        event._replace(result=0 if event.function == Function.MALLOC else event.result) for event in outcome.events
    ]
    assert outcome.ok


def test_claim_in_a_repeat_is_held_to_every_round() -> None:
    text = "a = malloc 8\nlabel repeat size 3\nb = malloc 8 ! same a b\nlabel end-repeat"
    failures = script.run(parse(text), Counting()).failures
    assert [failure.split("but ")[1] for failure in failures] == [
        f"they are 0x1000 and 0x{round}000" for round in (2, 3, 4)
    ]


def test_repeat_of_a_recorded_history_is_a_label() -> None:
    assert script.check(parse("label repeat size 3\na = malloc 8 -> 0x1000\nfree a\nlabel end-repeat")).ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("free NULL\nlabel repeat", "x.heap:2:1: a repeat says how often: 'label repeat size 1000'"),
        ("label repeat size 2", "x.heap:1:1: 'label repeat' has no 'label end-repeat' behind it"),
        ("label end-repeat", "x.heap:1:1: 'label end-repeat' ends no 'label repeat' before it"),
    ],
)
def test_repeat_without_a_number_or_an_end_is_refused_before_the_first_step(text: str, message: str) -> None:
    allocator = Counting()
    with pytest.raises(script.ScriptError) as caught:
        script.run(parse(text, "x.heap"), allocator)
    assert (str(caught.value), allocator.seen) == (message, [])
