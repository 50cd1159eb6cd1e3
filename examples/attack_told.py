"""One attack against four defences, told step by step: a stale pointer writes to its memory's next owner.

You learn where a use after free is stopped, by whom, and with what certainty; and to ask the catalogue for any other
attack on any other defence (`python examples/attack_told.py double-free isav9`).
Run it: python examples/attack_told.py
"""

from __future__ import annotations

import sys

from spec.attack import CATALOGUE, DEFENCES, Outcome, tell, verdict

ATTACK = "use-after-reuse-write"
ON = ("flat", "flat-quarantine", "isav9", "mte-glibc")


def told(attack: str, defence: str) -> None:
    """One run, and what becomes of all runs."""
    print(f"\non {defence}: {DEFENCES[defence].title}")
    found = verdict(attack, defence)
    if not found.applies:
        print(f"  does not apply: {found.reason}")
        return
    story = tell(attack, defence, seed=1)
    for line in story.lines:
        print(f"  {line.step}. {line.text:34} {line.answer}")
    shares = ", ".join(f"{outcome.value} {found.share(outcome)}" for outcome in Outcome if found.share(outcome))
    print(f"  this run: {story.ending}; all runs: {shares}")


def main(attack: str = ATTACK, *defences: str) -> int:
    """Tell the attack on each defence; 2 for a name that nobody knows."""
    for names, known in (((attack,), list(CATALOGUE)), (defences, list(DEFENCES))):
        for name in names:
            if name not in known:
                print(f"{name}: the names are {', '.join(known)}", file=sys.stderr)
                return 2
    entry = CATALOGUE[attack]
    print(f"{entry.title}. {entry.sentence}")
    print(f"It succeeds when {entry.goal.text}. Source: {entry.source}.")
    for defence in defences or ON:
        told(attack, defence)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
