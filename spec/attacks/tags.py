"""Attacks on tags as numbers, of which there are few: guessing them, counting them, waiting until they repeat."""

from __future__ import annotations

from capability.architecture import Hazard
from spec.attacks.defence import Feature
from spec.attacks.goal import Overwritten
from spec.attacks.kind import Attack, Family
from spec.attacks.step import OWN, attempt, churn, fill, free, guess, malloc, overflow, store

_TAG = frozenset({Feature.TAG})
_TRIES = 10
_GUESS = 5
"""The tag that is guessed: a usable one with every policy of the models."""
_PROMISE = Hazard.DISTANT_OVERFLOW
"""A guessed tag is worth that of a block elsewhere; ADI's promise about forged pointers is for those of version 0."""
ROUNDS = 15
"""How many generations of a block there are before a counter of 15 tags is where it was."""
WATCHED = 16
"""How long an attacker who sees the tags goes on."""

ATTACKS = (
    Attack(
        "tag-guess",
        Family.TAG,
        "The address of a block is known and its tag is guessed, once.",
        "Serebryany et al., Memory Tagging and how it improves C/C++ memory safety (2018)",
        (malloc("a", 64), fill("a", OWN), guess("g", "a", _GUESS), store("g")),
        Overwritten("a"),
        _PROMISE,
        _TAG,
    ),
    Attack(
        "tag-brute-force-restarting",
        Family.TAG,
        f"A service that crashes is started again and draws new tags; the guess is repeated {_TRIES} times.",
        "Project Zero, MTE As Implemented (2023)",
        (malloc("a", 64), fill("a", OWN), guess("g", "a", _GUESS), store("g")),
        Overwritten("a"),
        _PROMISE,
        _TAG,
        tries=_TRIES,
    ),
    Attack(
        "tag-brute-force-forking",
        Family.TAG,
        f"A service forks a child for each request, and children inherit tags; {_TRIES} different tags are tried.",
        "Bittau et al., Hacking Blind (2014), carried over to tags",
        (
            malloc("a", 64),
            fill("a", OWN),
            *(step for tag in range(1, _TRIES + 1) for step in (guess(f"g{tag}", "a", tag), attempt(store(f"g{tag}")))),
        ),
        Overwritten("a"),
        needs=_TAG,
    ),
    Attack(
        "tag-wrap-around",
        Family.TAG,
        f"A block is freed and allocated anew {ROUNDS} times, then the first pointer to it is used: a tag that "
        "counts up has come round.",
        "StickyTags (IEEE S&P 2024) on persistent and counted tags",
        (malloc("a", 64), free("a"), malloc("b", 64), churn("b", 64, ROUNDS - 1), fill("b", OWN), store("a")),
        Overwritten("b"),
        needs=_TAG,
    ),
    Attack(
        "tag-repetition-watched",
        Family.TAG,
        f"Pointers show their tags: a block is freed and allocated anew until its tag is that of a stale pointer, "
        f"{WATCHED} times at most, and only then the stale pointer is used.",
        "Project Zero, MTE As Implemented (2023): pointers disclose tags",
        (malloc("a", 64), free("a"), malloc("b", 64), churn("b", 64, WATCHED, "a"), fill("b", OWN), store("a")),
        Overwritten("b"),
        needs=_TAG,
    ),
    Attack(
        "neighbour-tag-luck",
        Family.TAG,
        f"Pointers show their tags: the block behind the attacker's is freed and allocated anew until the two tags "
        f"agree, {WATCHED} times at most, and only then the overflow happens.",
        "Project Zero, MTE As Implemented (2023): pointers disclose tags",
        (malloc("a", 64), malloc("b", 64), churn("b", 64, WATCHED, "a"), fill("b", OWN), overflow("a", "b")),
        Overwritten("b"),
        needs=_TAG,
    ),
)
