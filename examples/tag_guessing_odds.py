"""How likely is a guessed memory tag right, how often may one guess, and what do allocators make of it?

You learn why 14/15 is a good number against a bug and a bad one against an attacker who may try again. The exact
probabilities come from going through every way that tags can be drawn; the simulation draws them.
Run it: python examples/tag_guessing_odds.py
"""

from __future__ import annotations

from fractions import Fraction

from spec.attack import DEFENCES, Outcome, simulate, verdict

TRIALS = 400
POLICIES = [name for name in DEFENCES if name.startswith("mte-") and name != "mte-async"]
ATTACKS = {
    "tag-guess": "one guess",
    "tag-brute-force-restarting": "10 guesses, new tags",
    "tag-brute-force-forking": "10 guesses, same tags",
    "use-after-reuse-write": "stale pointer",
    "linear-overflow": "overflow",
}


def shown(share: Fraction) -> str:
    """A probability, exactly where it is short."""
    return str(share) if share.denominator < 1000 else f"{float(share):.4f}"


def main() -> None:
    """A table of what gets through, the same once simulated, and what repetition does."""
    print("probability that the attack gets through unnoticed")
    print(f"{'':22}" + "".join(f"{title:>23}" for title in ATTACKS.values()))
    for policy in POLICIES:
        shares = [verdict(attack, policy).share(Outcome.MISSED) for attack in ATTACKS]
        print(f"{policy:22}" + "".join(f"{shown(share):>23}" for share in shares))

    exact = verdict("tag-brute-force-restarting", "mte-glibc").share(Outcome.MISSED)
    seen = simulate("tag-brute-force-restarting", "mte-glibc", TRIALS, seed=7)[Outcome.MISSED]
    print(f"\non mte-glibc, 10 guesses against new tags: {float(exact):.3f} exactly, {seen} of {TRIALS} simulated")

    one = verdict("tag-guess", "mte-glibc").share(Outcome.MISSED)
    print("guesses until the attacker is through with probability ...")
    for wanted in (0.5, 0.9, 0.99):
        guesses = next(n for n in range(1, 1000) if 1 - (1 - one) ** n >= wanted)
        print(f"  {wanted:>4}: {guesses:>3} if tags are drawn anew, {-(-int(wanted * 1500) // 100):>3} if they stay")


if __name__ == "__main__":
    main()
