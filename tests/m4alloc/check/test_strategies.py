"""The public strategies give what is valid and nothing else, shrink to the plainest, and refuse what makes no sense."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from capability.cheri.capability import Capability
from capability.cheri.formats import FORMATS
from capability.cheri.isa import ISAS, ISAV8_128, Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permission import MorelloPerms
from capability.cheri.permit import and_perms
from capability.fault import Fault
from capability.perms import Perms
from m4alloc.check import capabilities, perms, requests, scripts
from m4alloc.check.adapter import OnDemand
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.local import reference
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.script_strategies import script as script_of
from m4alloc.check.scripted import play
from spec.allocator import ReferenceAllocator
from spec.error import Misuse
from spec.event import Function
from spec.script import Script, parse, render, run

EVERYTHING = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
    "pvalloc",
    "free",
    "free_sized",
    "malloc_usable_size",
]
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SMALLEST = settings(database=None, max_examples=2000)
ANY = settings(SMALLEST, phases=[Phase.generate])


def smallest(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    return find(strategy, condition, settings=SMALLEST, random=random.Random(0))


def some(strategy: st.SearchStrategy[Any], condition: Any = lambda drawn: True) -> Any:
    return find(strategy, condition, settings=ANY, random=random.Random(0))


def text_of(script: Script) -> list[str]:
    return render(script).splitlines()


# Scripts.


@QUICK
@given(scripts(EVERYTHING, threads=3))
def test_a_client_that_follows_a_script_keeps_the_contract_whatever_the_standard(script: Script) -> None:
    for standard in ("c17,glibc", "c23,posix"):
        judged = Script(script.steps, parse(f"given standard {standard.replace(',', ' ')}").settings)
        outcome = run(judged, ReferenceAllocator(capacity=1 << 22))
        assert outcome.acceptor.misuses == []
        if standard == "c17,glibc":
            assert outcome.ok, outcome.unclaimed


@QUICK
@given(scripts(EVERYTHING, threads=2, misuse=True))
def test_a_script_binds_names_before_it_uses_them_and_reads_back_as_it_was_written(script: Script) -> None:
    bound: set[str] = set()
    for step in script.steps:
        assert step.event is not None
        assert step.event.result == 0
        assert not step.replied
        if step.pointer is not None and step.pointer.name:
            assert step.pointer.name in bound
        if step.name:
            assert step.name not in bound
            bound.add(step.name)
    assert render(parse(render(script))) == render(script)


@settings(max_examples=10, deadline=None)
@given(scripts(EVERYTHING, threads=2, sizes=st.integers(0, 5000), max_steps=12))
def test_a_script_can_be_put_to_any_target(script: Script) -> None:
    for target in (reference(), SYSTEM):
        outcome = play(script, target)
        assert outcome.acceptor.findings == []
        assert len(outcome.events) == len(script.steps)


SYSTEM = OnDemand("system")


@pytest.fixture(autouse=True, scope="module")
def close_system() -> Any:
    yield
    SYSTEM.close()


@pytest.mark.campaign
def test_scripts_shrink_to_few_calls_small_sizes_early_frees_and_thread_0() -> None:
    def condition(script: Script) -> bool:
        calls = Counter(step.event.function for step in script.steps if step.event is not None)
        return calls[Function.FREE] >= 1 and calls[Function.MALLOC] >= 3

    lines = text_of(smallest(scripts(["malloc", "free", "calloc"], threads=4, max_steps=8), condition))
    frees = [number for number, line in enumerate(lines) if line.startswith("free")]
    assert [line for line in lines if "free" not in line] == ["a = malloc 0", "b = malloc 0", "c = malloc 0"]
    assert frees in ([1], [2]), "one, and not at the end"


@pytest.mark.campaign
def test_a_script_with_misuse_shrinks_to_that_misuse() -> None:
    def condition(script: Script) -> bool:
        return any(isinstance(finding, Misuse) for finding in run(script, ReferenceAllocator()).unclaimed)

    found = smallest(scripts(["malloc", "free"], max_steps=8, misuse=True), condition)
    assert text_of(found) in (["a = malloc 0", "free a", "free a"], ["a = malloc 2", "free a+1"])


def test_scripts_have_as_many_calls_as_is_asked_for_and_say_what_they_are_judged_by() -> None:
    @settings(max_examples=30, deadline=None)
    @given(scripts(["malloc", "free"], min_steps=2, max_steps=4, standard="c23,posix"))
    def check(script: Script) -> None:
        assert 2 <= len(script.steps) <= 4
        assert text_of(script)[0] == "given standard c23 posix"

    check()


def test_what_cannot_be_served_is_named_by_nothing_and_its_block_lives_on() -> None:
    plan = [
        Operation(Function.MALLOC, size=8),
        Operation(Function.REALLOC, aim=Aim.LIVE, size=2**63),
        Operation(Function.MALLOC, size=2**63),
        Operation(Function.FREE, aim=Aim.LIVE),
        Operation(Function.FREE, aim=Aim.LIVE),
    ]
    told = ["a = malloc 8", "realloc a 9223372036854775808", "malloc 9223372036854775808", "free a"]
    assert text_of(script_of(plan)) == told


# Requests.


@QUICK
@given(st.lists(requests(EVERYTHING, threads=2)))
def test_any_list_of_requests_is_a_plan_that_a_right_allocator_carries_out(plan: list[Operation]) -> None:
    assert judge(reference().run(plan), Terms("c17,glibc")) is None


@QUICK
@given(requests(["malloc", "aligned_alloc"], sizes=st.just(40), alignments=st.just(64), threads=3))
def test_requests_have_the_functions_sizes_alignments_and_threads_that_are_asked_for(request_: Operation) -> None:
    assert request_.function in (Function.MALLOC, Function.ALIGNED_ALLOC)
    assert request_.size == 40
    assert request_.alignment == (64 if request_.function is Function.ALIGNED_ALLOC else 0)
    assert request_.thread in range(3)


@QUICK
@given(requests(EVERYTHING))
def test_no_request_is_misuse_unless_asked_for_and_none_resizes_to_nothing(request_: Operation) -> None:
    assert not request_.misuse
    if request_.function in (Function.REALLOC, Function.REALLOCARRAY):
        assert request_.size * request_.count > 0


@pytest.mark.slow
def test_requests_reach_every_function_and_every_kind_of_misuse() -> None:
    seen = set()

    def look(drawn: Operation) -> bool:
        seen.add((drawn.function.name.lower(), drawn.aim))
        return {name.removeprefix("malloc_") for name in EVERYTHING} <= {name for name, _ in seen} and {
            ("free", aim) for aim in (Aim.LIVE, Aim.DEAD, Aim.INSIDE)
        } <= seen

    some(requests(EVERYTHING, misuse=True), look)


def test_lists_of_requests_shrink_as_scripts_do() -> None:
    plan = smallest(
        st.lists(requests(threads=3), max_size=8),
        lambda plan: sum(one.size > 100 for one in plan) >= 1 and any(one.function is Function.FREE for one in plan),
    )
    assert [(one.function, one.thread, one.block, one.size) for one in plan] == [
        (Function.FREE, 0, 0, 0),
        (Function.MALLOC, 0, 0, 101),
    ]


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (requests, {"functions": "malloc"}, r"functions='malloc': a list of names is wanted, such as \['malloc'\]"),
        (requests, {"functions": ["mallok"]}, "'mallok' is not among them; known are free, malloc, realloc"),
        (requests, {"functions": []}, "functions: none is given"),
        (requests, {"sizes": (0, 100)}, r"sizes=\(0, 100\): a strategy is wanted"),
        (requests, {"alignments": 16}, "alignments=16: a strategy is wanted"),
        (requests, {"threads": 0}, "threads=0: a number of threads, at least 1"),
        (scripts, {"functions": ["free"]}, "a script needs one that hands out a block, such as malloc"),
        (scripts, {"max_steps": -1}, "max_steps=-1: a number of calls, 0 or more"),
        (scripts, {"min_steps": 5, "max_steps": 4}, "min_steps=5 is above max_steps=4"),
        (
            capabilities,
            {"isa_or_format": "256"},
            "'256' is neither an Isa nor a Format, nor the name of one: 128,",
        ),
        (capabilities, {"tagged": False, "sealed": True}, "sealed only of tagged ones"),
        (perms, {"isa_or_format": 3}, "3 is neither an Isa nor a Format"),
    ],
)
def test_a_bad_argument_is_refused_at_once(make: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        make(**arguments)


@pytest.mark.parametrize("drawn", [-1, 1 << 64, "24", 2.5])
def test_a_size_that_is_none_is_refused_when_it_is_drawn(drawn: object) -> None:
    with pytest.raises(InvalidArgument, match=r"sizes gave .*: an int from 0 to 2\*\*64 - 1 is wanted"):
        find(requests(["malloc"], sizes=st.just(drawn)), lambda request: True)  # type: ignore[arg-type]


# Capabilities.


@pytest.mark.parametrize("isa", [*ISAS, ISAV8_128], ids=repr)
def test_tagged_capabilities_are_within_a_root_and_decode(isa: Isa) -> None:
    roots = [Capability.root(isa.format, which) for which in isa.format.roots]

    @settings(max_examples=15, deadline=None)
    @given(capabilities(isa))
    def check(found: Capability) -> None:
        assert found.tag
        assert found.decoded.valid
        assert 0 <= found.base <= found.top <= 1 << isa.format.address_bits
        assert any(found.perms & root.perms == found.perms for root in roots)
        assert not found.reserved

    check()


@pytest.mark.parametrize("isa", [*ISAS, ISAV8_128], ids=repr)
def test_what_is_derived_from_a_capability_is_within_it(isa: Isa) -> None:
    @settings(max_examples=15, deadline=None)
    @given(capabilities(isa), st.integers(0, 1 << 20), perms(isa))
    def check(found: Capability, length: int, keep: int) -> None:
        try:
            made = and_perms(set_bounds(found, length, isa), int(keep), isa)
        except Fault:
            return
        if made.tag:
            assert found.base <= made.base <= made.top <= found.top
            assert made.perms & found.perms == made.perms

    check()


def test_sealed_and_unsealed_capabilities_can_be_asked_for_in_every_format() -> None:
    for isa in ISAS:
        assert some(capabilities(isa, sealed=True)).sealed
        assert not some(capabilities(isa, sealed=False)).sealed
        assert some(capabilities(isa), lambda found: found.sealed).tag


@pytest.mark.campaign
def test_capabilities_shrink_towards_the_root() -> None:
    assert str(smallest(capabilities(), lambda found: True)) == "0x0 [rwxRW,0x0-0x10000000000000000]"
    found = smallest(capabilities(), lambda found: found.base > 0)
    assert (found.base, found.top, found.sealed) == (1, 1, False)


@pytest.mark.parametrize("name", list(FORMATS))
def test_untagged_capabilities_are_any_bits(name: str) -> None:
    bits = FORMATS[name].address_bits
    seen = [0, 0, 0, 0]

    def look(found: Capability) -> bool:
        for number, word in enumerate((found.pesbt, found.address)):
            seen[2 * number] |= word
            seen[2 * number + 1] |= ~word
        return not found.tag and all(one & (1 << bits) - 1 == (1 << bits) - 1 for one in seen)

    some(capabilities(name, tagged=False), look)


def test_perms_are_sets_of_a_formats_own_permissions() -> None:
    assert smallest(perms(), lambda found: True) == Perms(0)
    assert smallest(perms("128m"), lambda found: found.bit_count() > 17) == MorelloPerms(0x3FFFF)


def test_the_package_is_imported_without_hypothesis_and_its_names_are_listed() -> None:
    code = "import m4alloc.check, sys; print(*{'hypothesis', 'numpy', 'spec'} & {*sys.modules}, *dir(m4alloc.check))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    assert {"AllocatorMachine", "capabilities", "perms", "requests", "scripts"} <= set(names)
    assert not {"hypothesis", "numpy", "spec"} & set(names)
