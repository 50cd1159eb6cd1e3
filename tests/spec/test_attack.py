"""The catalogue: what becomes of each attack on each defence, why, and that the probabilities are the model's own."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import sqrt
from pathlib import Path

import pytest

from capability.architecture import Access, Hazard, Pointer
from capability.fault import Fault
from spec.acceptor import Acceptor
from spec.allocator import ReferenceAllocator
from spec.attack import CATALOGUE, DEFENCES, LEGEND, Catcher, Outcome, Verdict, plan, script, simulate, tell
from spec.attack import verdict as asked
from spec.attacks import alike
from spec.attacks.defence import ARENA, Defence
from spec.attacks.goal import BoundsOverlap, Freed, Gained, Leaked, Overwritten, Served, Shared, Written
from spec.attacks.judge import judge
from spec.attacks.kind import Attack, Family
from spec.attacks.plan import Plan
from spec.attacks.step import OWN, Reach, Request, Use, churn, fill, free, malloc, overflow, store
from spec.attacks.verdict import fraction_text
from spec.error import Bug, Misuse
from spec.event import FREEING, RESIZING, Function
from spec.history import accept
from spec.script import parse, render, to_events

PAGE = Path(__file__).parents[2] / "docs" / "attacks.md"
EXPECTED = """
                                 flat  CHERI: ISAv9   SGX  MTE: random      ADI
                                   --  deferred            glibc            disrupting
                                   --  unexamined          scudo, odd-even  precise
                                   --  Morello             hardened_malloc
                                   --  deferred            xzone
                                   --  CHERIoT             partition, async
linear-overflow                    !!  HHHHHH         !!!  pppHHHpq         hH
linear-overread                    !!  HHHHHH         !!!  pppHHHpq         HH
linear-underflow                   !!  HHHHHH         !-!  pppHHHpq         hH
linear-underread                   !!  HHHHHH         !-!  pppHHHpq         HH
off-by-one                         !!  HHHHHH         !!!  pppHHHpq         hH
distant-overflow                   !!  HHHHHH         !!!  pppppppq         qp
distant-overread                   !!  HHHHHH         !!!  pppppppq         pp
size-confusion                     !!  HHHHHH         !!!  pppHHHpq         hH
intra-granule-overflow             !!  !!!!!!         !!!  !!!!!!!!         !!
zero-size-access                   !!  !!!!!!         !!!  !!!!!!!!         !!
intra-object-overflow              !!  !!!!!!         !!!  !!!!!!!!         !!
intra-object-overflow-narrowed     ..  HHHHHH         ...  ........         ..
header-overwrite                   --  HHHHHH         ---  pppHHHpp         HH
next-header-overflow               --  HHHHHH         ---  pppHHHpp         HH
use-after-free-read                !!  H!HH!H         !H!  pHHHHHHH         HH
use-after-free-write               !!  H!HH!H         !H!  pHHHHHHh         hH
use-after-reuse-read               !-  H-HH-H         !!!  ppHHHHHh         pp
use-after-reuse-write              !-  H-HH-H         !!!  ppHHHHHh         qp
use-after-free-large               !!  H!HH!H         HHH  pH!!!!H!         hH
use-after-realloc                  !-  H-HH-H         !-!  ppHHHHHh         pp
dangling-stored-pointer            !-  H-HH-H         !!!  ppHHHHHh         qp
free-list-poisoning                --  H-HH-H         -H-  pHHHHHHH         HH
uninitialised-read                 !-  !-!!-!         !-!  !!---!!-         !!
stale-data-after-shrink            !-  !-!!-!         !-!  !!---!!-         !!
realloc-narrow-widen               !-  !-!!-!         !!!  !!---!!-         !!
realloc-tail                       !-  !-!!-!         !-!  !!---!!-         !!
calloc-of-stale-data               --  ------         ---  --------         --
stale-pointer-in-fresh-block       !-  !-!!-!         !-!  !!---!!-         !!
read-only-after-shrink             ..  AA!AAA         ...  ........         ..
double-free                        AA  AAAAAA         AAA  AAAAAAAA         AA
double-free-with-one-between       AA  AAAAAA         AAA  AAAAAAAA         AA
double-free-after-reuse            !A  HA!HAH         !!!  ppHHHHHH         pp
double-free-large                  AA  AAAAAA         AAA  AAAAAAAA         AA
double-free-from-another-thread    AA  AAAAAA         AAA  AAAAAAAA         AA
double-free-by-realloc             AA  AAAAAA         AAA  AAAAAAAA         AA
realloc-after-free                 AA  AAAAAA         AAA  AAAAAAAA         AA
realloc-after-reuse                !A  HA!HAH         !-!  ppHHHHHH         pp
wild-free                          AA  AAAAAA         AAA  AAAAAAAA         AA
interior-free                      AA  AAAAAA         AAA  AAAAAAAA         AA
free-of-stack                      AA  AAAAAA         AAA  AAAAAAAA         AA
free-of-global                     AA  AAAAAA         AAA  AAAAAAAA         AA
free-with-wrong-size               AA  AAAAAA         AAA  AAAAAAAA         AA
free-with-wrong-alignment          AA  AAAAAA         AAA  AAAAAAAA         AA
calloc-product-overflow            --  ------         ---  --------         --
negative-size                      --  ------         ---  --------         --
forged-pointer                     !!  HHHHHH         !!!  HHHHHHHh         hH
forged-free                        !!  HH!HHH         !!!  HHHHHHHH         HH
untagged-realloc                   ..  HH!HHH         ...  HHHHHHHH         HH
untagged-free                      ..  HH!HHH         ...  HHHHHHHH         HH
realloc-gains-rights               ..  AA!AAA         ...  ........         ..
realloc-widens-bounds              ..  AA!AAA         ...  ........         ..
narrowed-free                      ..  AA!AAA         ...  ........         ..
widened-bounds                     ..  HHHHHH         ...  ........         ..
unrepresentable-overlap            ..  ------         ...  ........         ..
execute-heap                       ..  HHHHHH         HHH  ........         ..
tag-guess                          ..  ......         ...  pppppppq         qp
tag-brute-force-restarting         ..  ......         ...  pppppppq         qp
tag-brute-force-forking            ..  ......         ...  ppppppph         hp
tag-wrap-around                    ..  ......         ...  pppppp!q         qp
tag-repetition-watched             ..  ......         ...  pppppp!q         qp
neighbour-tag-luck                 ..  ......         ...  pppHHH!q         hH
host-buffer-within                 ..  ......         BB!  ........         ..
host-buffer-straddling             ..  ......         BB!  ........         ..
host-buffer-wrapping               ..  ......         BB!  ........         ..
"""
"""The columns are those of DEFENCES, in order. p: with some probability; q: the same, after the goal was reached."""
verdict = lru_cache(maxsize=None)(asked)
ROWS = {
    words[0]: "".join(words[1:]) for line in EXPECTED.splitlines() if (words := line.split()) and words[0] in CATALOGUE
}
CHANCE = [
    (attack, defence)
    for attack, row in ROWS.items()
    for defence, sign in zip(DEFENCES, row, strict=True)
    if sign in "pq"
]


def sign(found: Verdict) -> str:
    """The cell as the table of expectations has it."""
    symbol = found.symbol
    return symbol if len(symbol) == 1 else {"H": "p", "h": "q"}[symbol[0]]


# The catalogue


def test_there_are_at_least_thirty_attacks_each_with_an_expectation_on_every_defence() -> None:
    assert len(CATALOGUE) >= 30
    assert ROWS.keys() == CATALOGUE.keys()
    assert {len(row) for row in ROWS.values()} == {len(DEFENCES)}
    assert {attack.family for attack in CATALOGUE.values()} == set(Family)


@pytest.mark.parametrize("attack", CATALOGUE.values(), ids=CATALOGUE)
def test_an_attack_says_what_it_is(attack: Attack) -> None:
    assert attack.sentence.endswith(".")
    assert attack.source and attack.goal.text
    assert 1 <= len(attack.steps) <= 10 or attack.family is Family.TAG
    assert all(str(step) for step in attack.steps)


@pytest.mark.parametrize("attack", CATALOGUE)
def test_the_verdict_on_each_defence_is_the_one_expected(attack: str) -> None:
    assert "".join(sign(verdict(attack, defence)) for defence in DEFENCES) == ROWS[attack]


def test_every_kind_of_goal_is_reached_somewhere() -> None:
    reached = {type(CATALOGUE[name].goal) for name, row in ROWS.items() if "!" in row}
    assert reached == {Overwritten, Leaked, Written, Shared, Gained, Served, Freed}


# Where and how


@pytest.mark.parametrize(
    ("attack", "defence", "step", "by", "kind", "code"),
    [
        ("linear-overflow", "isav9", 4, Catcher.HARDWARE, "length", "LENGTH"),
        ("use-after-reuse-write", "morello", 5, Catcher.HARDWARE, "tag", "TAG"),
        ("use-after-free-read", "sgx-pages", 4, Catcher.HARDWARE, "unmapped", "U"),
        ("linear-overflow", "mte-hardened_malloc", 4, Catcher.HARDWARE, "tag mismatch", "SEGV_MTESERR"),
        ("linear-overflow", "mte-async", 5, Catcher.HARDWARE, "tag mismatch", "SEGV_MTEAERR"),
        ("linear-overflow", "adi-disrupting", 5, Catcher.HARDWARE, "version mismatch", "SEGV_ADIDERR"),
        ("linear-overflow", "adi-precise", 4, Catcher.HARDWARE, "version mismatch", "SEGV_ADIPERR"),
        ("double-free", "isav9", 3, Catcher.ALLOCATOR, "double-free", ""),
        ("interior-free", "flat", 2, Catcher.ALLOCATOR, "interior-free", ""),
        ("free-with-wrong-size", "flat", 2, Catcher.ALLOCATOR, "size-mismatch", ""),
        ("realloc-gains-rights", "cheriot", 4, Catcher.ALLOCATOR, "invalid-free", ""),
        ("execute-heap", "cheriot", 3, Catcher.HARDWARE, "permission", "PERMIT_EXECUTE"),
        ("host-buffer-straddling", "sgx-shared", 3, Catcher.BRIDGE, "buffer neither", ""),
    ],
)
def test_an_attack_is_caught_at_this_step_by_this_fault(
    attack: str, defence: str, step: int, by: Catcher, kind: str, code: str
) -> None:
    found = verdict(attack, defence)
    (catch,) = found.catches
    assert (catch.step, catch.by, catch.kind, catch.code) == (step, by, kind, code)
    assert catch.probability == found.caught


def test_a_late_catch_is_reported_after_the_last_step() -> None:
    for attack, row in ROWS.items():
        for defence, expected in zip(DEFENCES, row, strict=True):
            if expected in "hq":
                found = verdict(attack, defence)
                assert {catch.step for catch in found.catches} == {len(CATALOGUE[attack].steps) + 1}


def test_what_does_not_apply_says_why() -> None:
    assert verdict("tag-guess", "isav9").reason == "pointers carry no tag that is a number"
    assert verdict("host-buffer-within", "flat").reason == "there is no enclave"
    assert str(verdict("narrowed-free", "adi-precise")) == "not applicable: pointers carry neither bounds nor rights"
    with pytest.raises(Bug):
        plan("narrowed-free", "mte-glibc").trial(0)


# Live, without the log


class Client:
    """An attack made directly on the allocator and the architecture, with every pointer in the client's own hands."""

    def __init__(self, defence: Defence) -> None:
        self.allocator: ReferenceAllocator = defence.allocator(defence.memory())
        self.examines = defence.examines
        self.pointers: dict[str, Pointer] = {}
        self.ends: dict[str, int] = {}

    def take(self, step: Request | Reach) -> None:
        if isinstance(step, Request):
            self.request(step)
            return
        address = self.pointers[step.at.name].base + step.at.offset
        size = self.pointers[step.upto].base + step.size - address if step.upto else step.size
        access = {Use.LOAD: Access.LOAD, Use.STORE: Access.STORE, Use.FETCH: Access.FETCH}[step.use]
        self.allocator.architecture.check(self.allocator.memory, self.pointers[step.through], address, size, access)

    def request(self, step: Request) -> None:
        event, place = step.step.event, step.step.pointer
        assert event is not None
        if event.function is Function.FILL:
            return
        if place is not None and place.name:
            event = event._replace(address=self.pointers[place.name].base + place.offset)
            gives_up = event.function in FREEING or event.function in RESIZING
            if self.examines and gives_up and event.address in self.allocator.heap.live:
                self.allocator.architecture.check(
                    self.allocator.memory, self.pointers[place.name], event.address, 1, Access.LOAD
                )
        elif place is not None:
            event = event._replace(address=place.offset)
        reply = self.allocator.request(event)
        if step.step.name and reply.result:
            self.pointers[step.step.name] = self.allocator.pointer(reply.result)


CERTAIN = [defence for defence in DEFENCES.values() if not defence.draws]


@pytest.mark.parametrize("defence", CERTAIN, ids=lambda defence: defence.name)
def test_what_is_played_from_the_log_is_what_happens_live(defence: Defence) -> None:
    compared = 0
    for attack in CATALOGUE.values():
        if attack.needs or not all(isinstance(step, Request | Reach) for step in attack.steps):
            continue
        client, caught = Client(defence), None
        for number, step in enumerate(attack.steps, start=1):
            try:
                assert isinstance(step, Request | Reach)
                client.take(step)
            except (Fault, Misuse) as error:
                caught = number, error.kind.value if isinstance(error, Fault) else error.kind, error.message
                break
        catches = verdict(attack.name, defence.name).catches
        assert [caught] if caught else [catch[:1] for catch in catches] == []
        if caught:
            assert caught == (catches[0].step, catches[0].kind, catches[0].message)
            compared += 1
    assert compared >= 12


# Probabilities


def generations(choices: int, count: int) -> Fraction:
    """The probability that a tag is the first one again after so many generations, none of which repeats the last."""
    same = Fraction(1)
    for _ in range(count):
        same = (1 - same) * Fraction(1, choices)
    return same


def miss(choices: int) -> Fraction:
    return 1 - Fraction(1, choices)


DEFENCE_CHOICES = {
    "mte-random": (15, False),
    "mte-glibc": (15, False),
    "mte-scudo": (15, True),
    "mte-scudo-odd-even": (8, True),
    "mte-hardened_malloc": (15, True),
    "mte-xzone": (15, True),
    "mte-async": (15, True),
    "adi-disrupting": (13, False),
    "adi-precise": (13, False),
}
"""How many tags a lone block's first is drawn from, and whether a new tag is never the old one."""
NEIGHBOURS_DIFFER = ("mte-hardened_malloc", "mte-xzone", "adi-disrupting", "adi-precise")
WATCHED, ROUNDS, TRIES = 16, 15, 10


def distant(defence: str) -> Fraction:
    """Block c against a, with b between: where neighbours differ, both a and c differ from b."""
    if defence == "mte-partition_alloc":
        return miss(15)
    choices, _ = DEFENCE_CHOICES[defence]
    return miss(choices - 1) if defence in NEIGHBOURS_DIFFER else miss(choices)


def reused(defence: str) -> Fraction:
    return miss(DEFENCE_CHOICES[defence][0])


def guessed(defence: str) -> Fraction:
    return miss(15) if defence == "mte-partition_alloc" else miss(DEFENCE_CHOICES[defence][0])


def restarted(defence: str) -> Fraction:
    """An asynchronous mode lets the first try through, so that there is no second."""
    late = defence in ("mte-async", "adi-disrupting")
    return guessed(defence) if late else guessed(defence) ** TRIES


def forked(defence: str) -> Fraction:
    """Ten tags are tried; of the eight odd ones that an even slot can have, five are among them."""
    return Fraction(3, 8) if defence == "mte-scudo-odd-even" else 1 - TRIES * (1 - guessed(defence))


def wrapped(defence: str) -> Fraction:
    choices, excludes = DEFENCE_CHOICES[defence]
    return 1 - generations(choices - 1, ROUNDS) if excludes else miss(choices)


def watched(defence: str) -> Fraction:
    """The first generation after the stale one cannot have its tag where the old tag is excluded."""
    choices, excludes = DEFENCE_CHOICES[defence]
    return miss(choices - 1) ** WATCHED if excludes else miss(choices) ** (WATCHED + 1)


def lucky(defence: str) -> Fraction:
    choices, excludes = DEFENCE_CHOICES[defence]
    return miss(choices) * (miss(choices - 1) if excludes else miss(choices)) ** WATCHED


def beside(defence: str) -> Fraction:
    """Reuse next to a live block: where neighbours differ, one version less to draw from."""
    return miss(12) if defence.startswith("adi") else reused(defence)


FORMULAS: dict[str, Callable[[str], Fraction]] = {
    **dict.fromkeys(("linear-overflow", "linear-overread", "linear-underflow", "linear-underread"), lambda _: miss(15)),
    **dict.fromkeys(("off-by-one", "size-confusion", "header-overwrite", "next-header-overflow"), lambda _: miss(15)),
    **dict.fromkeys(("use-after-free-read", "use-after-free-write", "free-list-poisoning"), lambda _: miss(15)),
    "use-after-free-large": lambda _: miss(15),
    **dict.fromkeys(("distant-overflow", "distant-overread"), distant),
    **dict.fromkeys(("use-after-reuse-read", "use-after-reuse-write"), reused),
    **dict.fromkeys(("double-free-after-reuse", "realloc-after-reuse"), reused),
    **dict.fromkeys(("use-after-realloc", "dangling-stored-pointer"), beside),
    "tag-guess": guessed,
    "tag-brute-force-restarting": restarted,
    "tag-brute-force-forking": forked,
    "tag-wrap-around": wrapped,
    "tag-repetition-watched": watched,
    "neighbour-tag-luck": lucky,
}


@pytest.mark.parametrize("attack", sorted({attack for attack, _ in CHANCE}))
def test_the_probability_is_what_the_closed_formula_gives(attack: str) -> None:
    for defence in (defence for name, defence in CHANCE if name == attack):
        found = verdict(attack, defence)
        assert found.caught == FORMULAS[attack](defence), defence
        assert sum(found.shares.values()) == 1


def test_no_attack_is_caught_less_often_than_its_architecture_promises() -> None:
    held = 0
    for attack in CATALOGUE.values():
        for defence in DEFENCES:
            found = verdict(attack.name, defence)
            if attack.hazard is not None and found.floor is not None and attack.tries == 1:
                stopped = found.caught + found.share(Outcome.HARMLESS)
                assert found.floor == DEFENCES[defence].architecture.detection(attack.hazard)
                assert stopped >= found.floor, (attack.name, defence)
                held += 1
    assert held > 350


@pytest.mark.parametrize("defence", ["mte-scudo-odd-even", "mte-xzone", "mte-partition_alloc", "adi-disrupting"])
@pytest.mark.parametrize(
    "steps",
    [
        (malloc("a", 64), malloc("b", 64), fill("b", OWN), overflow("a", "b")),
        (malloc("a", 64), free("a"), malloc("b", 64), fill("b", OWN), store("a")),
        (malloc("a", 64), malloc("b", 64), churn("b", 64, 1, "a"), fill("b", OWN), overflow("a", "b")),
    ],
    ids=["overflow", "reuse", "luck"],
)
def test_taking_states_that_differ_in_names_for_one_changes_no_verdict(
    monkeypatch: pytest.MonkeyPatch, defence: str, steps: tuple[Request | Reach, ...]
) -> None:
    planned = Plan(Attack("x", Family.TAG, "X.", "none", steps, Overwritten("b")), DEFENCES[defence])
    merged = judge(planned)
    monkeypatch.setattr(alike, "_kinds", lambda architecture: [-1] * 16)
    whole = judge(planned)
    assert whole.shares == merged.shares
    # The message is that of one run, in which the tags may have other names.
    assert [catch._replace(message="") for catch in whole.catches] == [
        catch._replace(message="") for catch in merged.catches
    ]


def deviation(attack: str, defence: str, trials: int, seed: int) -> float:
    """How far the simulated share is from the exact one, in standard errors."""
    counts = simulate(attack, defence, trials, seed)
    expected = float(verdict(attack, defence).caught)
    caught = counts[Outcome.CAUGHT] + counts[Outcome.LATE]
    return abs(caught - trials * expected) / sqrt(trials * expected * (1 - expected))


@pytest.mark.parametrize(
    ("attack", "defence"),
    [
        ("linear-overflow", "mte-glibc"),
        ("use-after-reuse-read", "mte-random"),
        ("tag-guess", "mte-scudo-odd-even"),
        ("distant-overread", "mte-hardened_malloc"),
        ("tag-repetition-watched", "mte-xzone"),
        ("tag-brute-force-forking", "adi-precise"),
    ],
)
def test_a_simulation_agrees_within_four_standard_errors(attack: str, defence: str) -> None:
    assert deviation(attack, defence, 600, seed=1) < 4


@pytest.mark.campaign
@pytest.mark.parametrize(("attack", "defence"), CHANCE)
def test_a_hundred_thousand_trials_agree_within_three_standard_errors(attack: str, defence: str) -> None:
    # Of a hundred true cells one in four campaigns would find one beyond three: that cell is asked once more.
    assert deviation(attack, defence, 100_000, seed=1) < 3 or deviation(attack, defence, 100_000, seed=2) < 3


def test_the_same_seed_gives_the_same_run_and_others_differ() -> None:
    attack = plan("use-after-reuse-write", "mte-glibc")
    outcomes = [attack.trial(seed)[0] for seed in range(60)]
    assert outcomes == [attack.trial(seed)[0] for seed in range(60)]
    assert {Outcome.CAUGHT, Outcome.MISSED} == set(outcomes)


# Goals


def verdict_of(goal: BoundsOverlap | Overwritten | Shared, *steps: Request | Reach, defence: str = "flat") -> Verdict:
    return judge(Plan(Attack("x", Family.SPATIAL, "X.", "none", steps, goal), DEFENCES[defence]))


def test_bounds_that_overlap_are_seen() -> None:
    two = (malloc("a", 64), free("a"), malloc("b", 64))
    assert verdict_of(BoundsOverlap("a", "b"), *two, defence="isav9").share(Outcome.MISSED) == 1
    apart = (malloc("a", 64), malloc("b", 64))
    assert verdict_of(BoundsOverlap("a", "b"), *apart, defence="isav9").share(Outcome.HARMLESS) == 1


def test_a_block_that_nobody_touched_is_not_overwritten() -> None:
    steps = (malloc("a", 64), malloc("b", 64), fill("b", OWN))
    assert verdict_of(Overwritten("b"), *steps).share(Outcome.HARMLESS) == 1
    assert verdict_of(Overwritten("b"), *steps, store("b", 63, 1)).share(Outcome.MISSED) == 1


def test_a_refused_request_shares_nothing() -> None:
    assert verdict_of(Shared("a", "b"), malloc("a", 1 << 60), malloc("b", 1 << 60)).share(Outcome.HARMLESS) == 1


# As heap scripts


SPOKEN = [
    name
    for name, attack in CATALOGUE.items()
    if attack.is_native and all(isinstance(step, Request | Reach) for step in attack.steps)
]


@pytest.mark.parametrize("attack", SPOKEN)
def test_an_attack_of_calls_and_accesses_is_a_heap_script_in_which_the_acceptor_sees_the_same_misuse(
    attack: str,
) -> None:
    told = script(attack)
    assert render(parse(render(told))) == render(told)
    acceptor = accept(to_events(told), Acceptor())
    assert acceptor.violations == []
    caught = [catch.kind for catch in verdict(attack, "flat").catches]
    assert not caught or [misuse.kind for misuse in acceptor.misuses] == caught


def test_an_address_log_does_not_show_whose_pointer_it_was() -> None:
    assert not accept(to_events(script("use-after-reuse-write")), Acceptor()).misuses
    with pytest.raises(ValueError, match="forged-pointer does to pointers what a heap script has no words for"):
        script("forged-pointer")


# Stories


def test_a_story_ends_where_the_attack_is_caught() -> None:
    told = tell("double-free-with-one-between", "flat")
    assert [line.step for line in told.lines] == [1, 2, 3, 4, 5]
    assert told.lines[-1].answer.startswith(f"free({ARENA:#x}) at event 5 names the start of block #1")
    assert told.ending == "caught at step 5 by the allocator: misuse double-free"


def test_a_story_of_another_seed_may_end_otherwise() -> None:
    endings = {tell("tag-guess", "mte-glibc", seed).outcome for seed in range(40)}
    assert endings == {Outcome.CAUGHT, Outcome.MISSED}


@pytest.mark.parametrize(
    ("attack", "defence", "ending"),
    [
        ("linear-overflow", "flat", "missed: the contents of b have changed under its owner, and nobody noticed"),
        (
            "negative-size",
            "flat",
            "harmless: nothing was reported, and this was not reached: the request for a is granted",
        ),
        (
            "forged-pointer",
            "mte-async",
            "caught late by the hardware: tag mismatch fault (SEGV_MTEAERR), at the next entry to the kernel; by then "
            "the contents of a have changed under its owner",
        ),
    ],
)
def test_a_story_says_how_it_ended(attack: str, defence: str, ending: str) -> None:
    assert tell(attack, defence).ending == ending


def test_a_fraction_too_long_to_read_is_told_in_per_cent() -> None:
    assert fraction_text(Fraction(14, 15)) == "14/15"
    assert fraction_text(Fraction(14, 15) ** 20) == "25.2%"


def test_every_hazard_but_the_one_that_rounding_hides_has_an_attack() -> None:
    # The allocator derives a pointer for the usable size: within the last granule nothing is out of bounds for CHERI.
    assert {attack.hazard for attack in CATALOGUE.values()} - {None} == {*Hazard} - {Hazard.GRANULE_OVERFLOW}


# The page


def docs_table() -> str:
    """The table of docs/attacks.md."""
    lines = []
    for draws in (False, True):
        columns = [defence for defence in DEFENCES.values() if defence.draws is draws]
        lines += ["", f"| Attack | {' | '.join(defence.name for defence in columns)} |"]
        lines += [f"|---|{'---|' * len(columns)}"]
        for attack in CATALOGUE:
            cells = " | ".join(verdict(attack, defence.name).symbol for defence in columns)
            lines.append(f"| `{attack}` | {cells} |")
    return "\n".join([LEGEND, *lines])


def docs_columns() -> str:
    """The columns, with what they stand for."""
    lines = ["| Column | What it is |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{defence.name}` | {defence.title} |" for defence in DEFENCES.values())])


def docs_catalogue() -> str:
    """Each attack: what it does, its steps, its goal and its source."""
    lines: list[str] = []
    for family in Family:
        lines += [*([""] if lines else []), f"### {family.value.capitalize()}"]
        for attack in (attack for attack in CATALOGUE.values() if attack.family is family):
            steps = [str(step) for step in attack.steps]
            shown = steps if len(steps) <= 10 else [*steps[:6], "..."]
            lines += ["", f"**{attack.name}.** {attack.sentence}", "", "```", *shown, "```", ""]
            native = " Made on real allocators as well." if attack.is_native else ""
            lines.append(f"Success: {attack.goal.text}. Source: {attack.source}.{native}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("marker", "made"), [("columns", docs_columns), ("table", docs_table), ("catalogue", docs_catalogue)]
)
def test_the_page_shows_the_catalogue_and_the_verdicts_as_they_are(marker: str, made: Callable[[], str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = text.split(f"<!-- {marker} -->\n")[1].split(f"\n<!-- end of {marker} -->")[0]
    assert found == made(), f"docs/attacks.md should say between the markers of {marker}:\n{made()}"
