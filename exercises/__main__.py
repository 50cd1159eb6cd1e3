"""`python -m exercises [STEP ...]`: which promises hold, and of the first that is broken the smallest history.

Without a step: each in turn, up to the first that is not done. Exit status: 0 done, 1 not done, 2 usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

try:
    from exercises.course.steps import STEPS, Step, UnreadableError, advice, quiet, unfinished_before
    from exercises.course.telling import as_script, told
except ModuleNotFoundError as error:
    if error.name and error.name.partition(".")[0] == "exercises":
        raise
    text = f"{error.name} is missing: install m4alloc (pip install m4alloc), or use the clone's .venv/bin/python"
    sys.exit(f"exercises: {text}")


SCRIPTED = (1, 2)
"""The steps whose heaps deal in addresses."""


def main(arguments: list[str] | None = None) -> int:
    """Judge steps and print what is found; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m exercises",
        description="Judge the exercises. Each step's README.md says what to write; of the first promise that is "
        "broken you see the smallest history that shows it, what happened, and a hint.",
        epilog="Exit status: 0 done, 1 not done, 2 usage.",
    )
    parser.add_argument("steps", nargs="*", type=int, metavar="STEP", help="1 to 5; without: up to the first not done")
    parser.add_argument("--all", action="store_true", help="tell every broken promise in full, not the first alone")
    parser.add_argument(
        "--save",
        metavar="FILE.heap",
        type=Path,
        help="write the history as a heap script for m4alloc view (steps 1, 2)",
    )
    chosen = parser.parse_args(arguments)
    unknown = [number for number in chosen.steps if not 1 <= number <= len(STEPS)]
    if unknown:
        parser.error(f"there is no step {unknown[0]}; the steps are 1 to {len(STEPS)}")
    if chosen.save is not None and (len(chosen.steps) != 1 or chosen.steps[0] not in SCRIPTED):
        parser.error("--save is for one step, 1 or 2: the histories of the others are of pointers, and no heap scripts")
    if chosen.save is not None and chosen.save.suffix != ".heap":
        parser.error(f"--save {chosen.save}: the name of a heap script ends in .heap; another file might be your work")
    quiet()
    done = True
    for step in [STEPS[number - 1] for number in chosen.steps] or STEPS:
        try:
            alone = bool(chosen.steps)  # else those before it are done
            done = run(step, everything=chosen.all, save=chosen.save, alone=alone) and done
        except OSError as error:
            parser.error(f"--save {chosen.save}: {error.strerror}")
        if not done and not chosen.steps:
            break
    return 0 if done else 1


def run(step: Step, *, everything: bool, save: Path | None = None, alone: bool = True) -> bool:
    """Judge one step and print what was found; whether it is done.

    save: where to write the first history. alone: say so when an earlier step is not done.
    Raises OSError: `save` cannot be written.
    """
    title = f"step {step.number}, {step.title}: exercises/{step.folder}/heap.py"
    try:
        earlier = unfinished_before(step) if alone else None
        if earlier is not None:
            print(advice(earlier))
        results = step.results(step.module())
    except UnreadableError as error:
        print(f"{title}\n  {error}")
        return False
    print(told(title, results, everything=everything, untried=len(step.promises) - len(results)))
    broken = next((result.broken for result in results if result.broken and result.broken.history), None)
    if save is not None and broken is not None:
        save.write_text(as_script(broken), encoding="utf-8")
        print(f"  the history is in {save}; to see the heap: m4alloc view {save} -o heap.html, or with --text")
    return all(result.broken is None for result in results)


if __name__ == "__main__":
    sys.exit(main())
