"""Capabilities that allocators hand out: correct allocators are admitted, and each rule catches what no other does."""

from __future__ import annotations

import pytest

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.cheri.isa import ISAS, ISAV9_64, MORELLO, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.seal import seal_entry
from capability.memory import TaggedMemory
from capability.perms import DATA, Perms
from spec.authority import AuthorityAcceptor
from spec.authority_check import SCENARIOS, check_authority
from spec.authority_judge import ON_GRANT, Grant
from spec.authority_reference import ReferenceCapabilities
from spec.contract import CAPABILITY_RULES, MISUSES, RULES
from spec.error import Bug, Misuse
from spec.event import Event, Function
from spec.judge import Broken
from tests.spec.capability_allocators import (
    BROKEN,
    Careful,
    HeaderInBounds,
    KeepsVmem,
    MasksAndZeroes,
    MasksPermissions,
    Published,
    RefusesAll,
    SweepsRegistersOnly,
)


def broken(make: type[Careful], *scenarios: str) -> set[str]:
    """The rules that an allocator is seen to break."""
    report = check_authority(make, scenarios=scenarios or tuple(SCENARIOS))
    return {violation.rule.name for _, violation in report.violations}


# Whole allocators.


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_reference_allocator_holds_every_rule_of_capabilities(isa: Isa) -> None:
    report = check_authority(lambda: ReferenceCapabilities(isa))
    assert report.violations == ()
    assert not CAPABILITY_RULES.keys() & set(report.not_observed)


def test_revocation_may_come_late_if_reuse_waits_for_it() -> None:
    assert check_authority(lambda: ReferenceCapabilities(MORELLO, sweep_at=1 << 14, quarantine=2), seed=2).ok


@pytest.mark.parametrize("isa", [MORELLO, ISAV9_64], ids=str)
def test_allocator_that_resizes_in_place_and_narrows_holds_them_too(isa: Isa) -> None:
    report = check_authority(lambda: Careful(isa), seed=1)
    assert report.violations == ()
    assert not CAPABILITY_RULES.keys() & set(report.not_observed)


@pytest.mark.parametrize("name", CAPABILITY_RULES)
def test_each_rule_catches_an_allocator_that_no_other_rule_catches(name: str) -> None:
    make, scenario = BROKEN[name]
    assert broken(make, scenario) == {name}
    others = {other: rule for other, rule in CAPABILITY_RULES.items() if other != name}
    assert check_authority(make, rules=others).violations == ()


def test_every_rule_of_capabilities_has_one_judge_and_one_broken_allocator() -> None:
    assert list(ON_GRANT) == list(CAPABILITY_RULES)
    assert BROKEN.keys() == CAPABILITY_RULES.keys()
    assert not CAPABILITY_RULES.keys() & (RULES.keys() | MISUSES.keys())


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_overlap_of_the_published_bump_allocator_is_found_in_every_format(isa: Isa) -> None:
    report = check_authority(lambda: Published(isa), scenarios=["overlap"])
    assert {violation.rule.name for _, violation in report.violations} == {"capability-disjoint"}


def test_overlap_is_told_with_both_bounds() -> None:
    report = check_authority(Published, scenarios=["overlap"])
    assert str(report.violations[0][1]).startswith(
        "capability-disjoint: malloc(16) at event 100 handed out 0x70530 [rwRW,0x70530-0x70540], whose bounds overlap "
        "those of a live block, 0x60520 [rwRW,0x60520-0x70540]. The bounds of a block reach no byte within"
    )


def test_other_faults_of_the_same_kinds_are_found() -> None:
    assert broken(KeepsVmem, "requests") == {"permissions-stripped"}
    assert broken(HeaderInBounds, "requests") == {"capability-disjoint"}
    assert broken(SweepsRegistersOnly, "stale") == {"no-reuse-while-reachable"}


def test_narrowed_pointer_may_be_taken_if_nothing_beyond_it_is_given() -> None:
    assert broken(MasksPermissions, "escperms") == {"realloc-does-not-amplify"}
    assert broken(MasksAndZeroes) == set()


def test_the_same_seed_does_the_same() -> None:
    first, again, other = (check_authority(Careful, seed=seed, scenarios=["life"]) for seed in (3, 3, 4))
    assert first == again
    assert first.tally != other.tally


# One request.


def test_valid_free_that_is_refused_is_a_violation_of_the_contract() -> None:
    client = AuthorityAcceptor(RefusesAll())
    _, block = client.request(Event(Function.MALLOC, size=24))
    with pytest.raises(Misuse):
        client.request(Event(Function.FREE), block)
    assert [violation.rule.name for violation in client.violations] == ["valid-call-accepted"]
    client.check()


def test_pointer_that_is_refused_leaves_its_block_live() -> None:
    client = AuthorityAcceptor(Careful())
    _, block = client.request(Event(Function.MALLOC, size=24))
    assert block is not None
    for weaker in (block.clear_tag(), limit_rights(block, Perms.PERMIT_LOAD, MORELLO), set_bounds(block, 8, MORELLO)):
        with pytest.raises(Misuse):
            client.request(Event(Function.REALLOC, size=48), weaker)
        client.check()
    client.request(Event(Function.FREE), block)
    assert client.findings == []
    assert (client.tally["untagged-refused"], client.tally["realloc-does-not-amplify"]) == (1, 2)
    assert not client.live


def test_double_free_is_the_clients_fault() -> None:
    client = AuthorityAcceptor(Careful())
    _, block = client.request(Event(Function.MALLOC, size=24))
    client.request(Event(Function.FREE), block)
    with pytest.raises(Misuse):
        client.request(Event(Function.FREE), block)
    assert (client.violations, client.counts) == ([], {"double-free": 1})


def test_block_on_a_machine_of_32_bits_needs_the_alignment_of_a_capability() -> None:
    for at, found in ((0x10008, []), (0x10004, ["result-aligned-fundamental"])):
        client = AuthorityAcceptor(Handing(ISAV9_64, set_bounds(root(ISAV9_64, at), 24, ISAV9_64)))
        client.request(Event(Function.MALLOC, size=24))
        assert [violation.rule.name for violation in client.violations] == found


def root(isa: Isa, address: int) -> Capability:
    return limit_rights(set_address(Capability.root(isa.format), address, isa), DATA, isa)


class Handing:
    """Hands out one capability, whatever it is asked."""

    def __init__(self, isa: Isa, capability: Capability, granule: int = 0) -> None:
        self.isa = isa
        self.capability = capability
        self.memory = TaggedMemory(capability_granule=granule or isa.format.capability_bytes)
        self.metadata: tuple[Range, ...] = ()

    def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
        return event._replace(result=self.capability.address), self.capability


BLOCK = set_bounds(root(MORELLO, 0x1000), 64, MORELLO)
COVERS = {
    "has no tag": BLOCK.clear_tag(),
    "is sealed": seal_entry(
        set_bounds(set_address(Capability.root(MORELLO.format), 0x1000, MORELLO), 64, MORELLO), MORELLO
    ),
    "points 16 bytes behind its base": set_address(BLOCK, 0x1010, MORELLO),
    "does not cover the 24 bytes requested": set_bounds(BLOCK, 23, MORELLO),
    "is not aligned to 16 for a capability": set_bounds(root(MORELLO, 0x1008), 64, MORELLO),
    "may not load and store data and capabilities": limit_rights(BLOCK, DATA & ~Perms.PERMIT_STORE_CAP, MORELLO),
}


@pytest.mark.parametrize("what", COVERS)
def test_capability_of_a_block_must_give_its_owner_all_of_it(what: str) -> None:
    capability = COVERS[what]
    verdict = ON_GRANT["capability-covers-request"](
        Grant(Event(Function.MALLOC, size=24), MORELLO, TaggedMemory(), None, capability)
    )
    assert isinstance(verdict, Broken)
    assert verdict.what == f"handed out {capability}, which {what}"


def test_small_block_need_not_be_aligned_for_a_capability() -> None:
    small = set_bounds(root(MORELLO, 0x1008), 8, MORELLO)
    grant = Grant(Event(Function.MALLOC, size=8), MORELLO, TaggedMemory(), None, small)
    assert ON_GRANT["capability-covers-request"](grant) is True


def test_padding_may_be_what_representability_needs() -> None:
    padded = set_bounds(root(MORELLO, 0x10000), 65568, MORELLO)
    for usable, verdict in ((65537, True), (65568, True), (65000, False), (-1, None)):
        event = Event(Function.MALLOC, size=1000, usable=usable)
        judged = ON_GRANT["capability-representable-padding"](Grant(event, MORELLO, TaggedMemory(), None, padded))
        assert isinstance(judged, Broken) if verdict is False else judged is (verdict is True)


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_permissions_are_compared_in_the_formats_own_terms(isa: Isa) -> None:
    roots = [Capability.root(isa.format, name) for name in isa.format.roots]
    beyond = [capability for capability in roots if capability.rights & ~DATA]
    assert beyond
    for capability, held in ((beyond[0], False), (limit_rights(beyond[0], DATA, isa), True)):
        grant = Grant(Event(Function.MALLOC, size=8), isa, TaggedMemory(), None, capability)
        judged = ON_GRANT["permissions-stripped"](grant)
        assert judged is True if held else isinstance(judged, Broken)


# Bad input.


def test_acceptor_of_authority_needs_the_standard_that_speaks_of_it() -> None:
    with pytest.raises(ValueError, match=r"^standard 'c17' has no rules of capabilities: add cheri$"):
        AuthorityAcceptor(Careful(), "c17")


def test_memory_with_tags_for_other_granules_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^capabilities of ISAv9 64 are 8 bytes; the memory keeps a tag for each 16$"):
        AuthorityAcceptor(Handing(ISAV9_64, root(ISAV9_64, 0x1000), granule=16))


def test_reply_that_contradicts_its_capability_is_a_bug_of_the_adapter() -> None:
    class Contradicting(Handing):
        def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
            return event._replace(result=0x2000), self.capability

    with pytest.raises(Bug, match=r"^malloc\(24\) returned 0x2000 and the capability 0x1000 "):
        AuthorityAcceptor(Contradicting(MORELLO, BLOCK)).request(Event(Function.MALLOC, size=24))


def test_unknown_scenario_is_refused() -> None:
    with pytest.raises(KeyError):
        check_authority(Careful, scenarios=["underlap"])
