"""Check a model of an allocator: deadlocks, faults, and temporal properties."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_json, add_output, add_verb
from m4alloc.cli._values import count_of, size_of, time_of

if TYPE_CHECKING:
    from m4alloc.model.check import Progress


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc model [OPTION ...] FILE|NAME`, `m4alloc model --replay FILE` or `m4alloc model --list`."""
    parser = add_verb(
        subparsers,
        "model",
        __doc__ or "",
        usage=["[OPTION ...] FILE|NAME", "--replay FILE", "--list"],
        more="Without --property: deadlocks and faults, then all the properties of the model.",
        examples=[
            "m4alloc model free_list",
            "m4alloc model free_list --const LOCKED=0 --property handed_out_once",
            "m4alloc model mine.m4m --engine spin --budget 5m",
        ],
        status="0 all hold, 1 one is violated, 2 usage, 3 none is violated and one could not be decided within the "
        "bounds, 130 interrupted.",
        page="docs/models.md",
    )
    add = parser.add_argument
    add("source", nargs="?", metavar="FILE|NAME", help="a .m4m file, or a bundled model (--list)")
    add("--list", action="store_true", help="print the bundled models, their properties and seeded bugs")
    add("--replay", metavar="FILE", help="replay a counterexample step by step, instead of searching")
    add = parser.add_argument_group("what is checked").add_argument
    add(
        "--property",
        action="append",
        default=[],
        metavar="NAME|FORMULA",
        help="check this one only; `deadlock` is the search for deadlocks and faults; repeatable",
    )
    add("--const", action="append", default=[], metavar="NAME=VALUE", help="another value for a constant; repeatable")
    add("--fair", action="store_true", help="schedule every process weakly fairly, not only those the model says")
    add("--no-deadlock", action="store_true", help="faults only: a deadlock is as good as an end")
    add = parser.add_argument_group("the search").add_argument
    add(
        "--engine",
        choices=("auto", "own", "compiled", "spin"),
        default="auto",
        help="our own search, the compiled one, or SPIN; auto: our own, and for more states the compiled one (default "
        "%(default)s)",
    )
    add("--reduce", action="store_true", help="partial-order reduction")
    add("--symmetry", action="store_true", help="one state for all that are symmetric (own)")
    add("--compact", action="store_true", help="store digests: some states may be missed (own, spin)")
    add(
        "--states",
        type=count_of,
        metavar="N",
        help="store at most so many states in a search (default: docs/models.md)",
    )
    add(
        "--budget",
        type=time_of,
        metavar="TIME",
        help="search at most so long for an answer (default: 10m with SPIN, else none)",
    )
    add(
        "--memory",
        type=size_of,
        metavar="BYTES",
        help="use at most so much memory (default: 4Gi compiled, 2Gi with SPIN, else none)",
    )
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "DIR", "findings", "the folder for counterexamples")
    add("--promela", metavar="FILE", help="write the model in Promela (with the property, if one is named)")
    add("--svg", metavar="FILE", help="draw the first counterexample")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Check, print the report, and return the exit status it stands for."""
    from m4alloc.model import text
    from m4alloc.model.check import model
    from spec.ltl.error import TooLargeError

    if arguments.list:
        print(json.dumps(text.listing_json(), indent=2) if arguments.json else "\n".join(text.listing()))
        return 0
    if arguments.replay is not None:
        return _replay(Path(arguments.replay), constants(arguments.const), as_json=arguments.json)
    if arguments.source is None:
        raise UsageError("no model is named; give a file or a bundled model (m4alloc model --list)")
    with _progress() as progress:
        try:
            report = model(
                arguments.source,
                properties=arguments.property,
                engine=arguments.engine,
                constants=constants(arguments.const),
                fair=arguments.fair,
                deadlock=not arguments.no_deadlock,
                reduce=arguments.reduce,
                symmetry=arguments.symmetry,
                compact=arguments.compact,
                states=arguments.states,
                budget=arguments.budget,
                memory=arguments.memory,
                promela=arguments.promela,
                svg=arguments.svg,
                output=arguments.output,
                progress=progress,
            )
        except TooLargeError as error:
            print(f"m4alloc model: not decided: {error}", file=sys.stderr)
            return 3
        except OSError as error:
            raise UsageError(told(error)) from error
        except ValueError as error:
            # LogicError, ModelError, OptionError, PromelaError and SpinError are ValueErrors: the input was at fault.
            raise UsageError(str(error)) from error
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status


def constants(words: list[str]) -> dict[str, int]:
    """NAME=VALUE each; true and false are 1 and 0.  Raises UsageError.

    >>> constants(["LOCKED=false", "BLOCKS=3"])
    {'LOCKED': 0, 'BLOCKS': 3}
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            found[name] = {"true": 1, "false": 0}[value] if value in ("true", "false") else int(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise UsageError(f"--const {word}: NAME=VALUE with a whole number, true or false is wanted")
    return found


def _replay(file: Path, changed: dict[str, int], *, as_json: bool) -> int:
    """Print a run from a file, each step of which has been replayed; the status is that of what it violates."""
    from m4alloc.model import runs
    from spec.model.counterexample import ReplayError

    try:
        _, found = runs.read(file, changed)
    except OSError as error:
        raise UsageError(told(error)) from error
    except (ValueError, ReplayError) as error:
        raise UsageError(str(error)) from error
    if as_json:
        report = {
            "schema": "m4alloc/1",
            "verb": "model",
            "replay": str(file),
            "source": str(found.source),
            "constants": dict(found.constants),
            "property": found.property,
            "formula": found.formula,
            "reason": found.reason,
            "steps": len(found.path.steps),
            "exit_status": 1,
        }
        print(json.dumps(report, indent=2))
        return 1
    constant = "".join(f", {name} = {value}" for name, value in found.constants.items())
    print(f"model   {found.source}{constant}")
    print("\n".join(found.lines))
    print(f"claim   {f'{found.property}: {found.formula}' if found.formula else found.reason}")
    print(f"{len(found.path.steps)} steps replayed")
    return 1


@contextmanager
def _progress() -> Iterator[Progress]:
    """How far the search is: a line that changes on a terminal, a line every ten seconds elsewhere."""
    from m4alloc.view.quantity import number

    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("searching") as status:
            yield lambda name, meter: status.update(
                f"{name}: {number(meter.states)} states, {number(meter.transitions)} transitions"
            )
        return
    last = time.monotonic()

    def tell(name: str, meter: object) -> None:
        nonlocal last
        if time.monotonic() - last >= 10:
            last = time.monotonic()
            states = getattr(meter, "states", 0)
            print(f"m4alloc model: {name}: {number(states)} states", file=sys.stderr, flush=True)

    yield tell
