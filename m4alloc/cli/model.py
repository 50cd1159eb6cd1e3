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

from m4alloc.cli import UsageError

if TYPE_CHECKING:
    from m4alloc.model.check import Progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc model [OPTION ...] FILE|NAME`, `m4alloc model --replay FILE` or `m4alloc model --list`."""
    parser = subparsers.add_parser(
        "model",
        help=__doc__,
        description=f"{__doc__} Without --property: deadlocks and faults, then all the properties of the model. "
        "Exit status: 0 all hold, 1 one is violated, 2 usage, 3 none is violated and one could not be decided within "
        "the bounds, 130 interrupted.",
        usage="m4alloc model [OPTION ...] FILE|NAME\n       m4alloc model --replay FILE\n       m4alloc model --list",
    )
    parser.add_argument("source", nargs="?", metavar="FILE|NAME", help="a .m4m file, or a bundled model (--list)")
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME|FORMULA",
        help="check this one only; `deadlock` is the search for deadlocks and faults; repeatable",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "own", "compiled", "spin"),
        default="auto",
        help="our own search, the compiled one, or SPIN; auto (default): our own, and for more states the compiled one",
    )
    parser.add_argument(
        "--const", action="append", default=[], metavar="NAME=VALUE", help="another value for a constant; repeatable"
    )
    parser.add_argument(
        "--fair", action="store_true", help="schedule every process weakly fairly, not only those the model says"
    )
    parser.add_argument("--no-deadlock", action="store_true", help="faults only: a deadlock is as good as an end")
    parser.add_argument("--reduce", action="store_true", help="partial-order reduction")
    parser.add_argument("--symmetry", action="store_true", help="one state for all that are symmetric (own)")
    parser.add_argument("--compact", action="store_true", help="store digests: some states may be missed (own, spin)")
    parser.add_argument("--states", type=int, metavar="N", help="store at most so many states in a search")
    parser.add_argument("--seconds", type=float, metavar="N", help="search at most so long for an answer")
    parser.add_argument("--memory", metavar="BYTES", help="use at most so much memory (suffixes k M G Ki Mi Gi)")
    parser.add_argument(
        "-o",
        "--output",
        default="findings",
        metavar="DIR",
        help="the folder for counterexamples (default findings; - for none)",
    )
    parser.add_argument(
        "--promela", metavar="FILE", help="write the model in Promela (with the property, if one is named)"
    )
    parser.add_argument("--svg", metavar="FILE", help="draw the first counterexample")
    parser.add_argument("--replay", metavar="FILE", help="replay a counterexample step by step")
    parser.add_argument("--list", action="store_true", help="the bundled models, their properties and seeded bugs")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check, print the report, and return the exit status it stands for."""
    from m4alloc.model import text
    from m4alloc.model.check import model
    from spec.ltl.error import TooLargeError

    if arguments.list:
        print("\n".join(text.listing()))
        return 0
    if arguments.replay is not None:
        return _replay(Path(arguments.replay), constants(arguments.const))
    if arguments.source is None:
        raise UsageError("no model is named; give a file or a bundled model (m4alloc model --list)")
    memory = None if arguments.memory is None else _memory(arguments.memory)
    with _progress() as progress:
        try:
            report = model(
                arguments.source,
                properties=arguments.property,
                engine=arguments.engine,
                constants=constants(arguments.const),
                fair=arguments.fair,
                deadlock=not arguments.no_deadlock,
                reduction=arguments.reduce,
                symmetry=arguments.symmetry,
                compaction=arguments.compact,
                states=arguments.states,
                seconds=arguments.seconds,
                memory=memory,
                promela=arguments.promela,
                svg=arguments.svg,
                output=None if arguments.output == "-" else arguments.output,
                progress=progress,
            )
        except TooLargeError as error:
            print(f"m4alloc model: not decided: {error}", file=sys.stderr)
            return 3
        except OSError as error:
            raise UsageError(_told(error)) from error
        except ValueError as error:
            # LogicError, ModelError, OptionError, PromelaError and SpinError are ValueErrors: the input was at fault.
            raise UsageError(str(error)) from error
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _memory(text: str) -> int:
    from m4alloc.cli.record import parse_size

    try:
        return parse_size(text)
    except UsageError:
        raise UsageError(f"--memory {text}: a number of bytes, as in 500M or 2Gi") from None


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


def _replay(file: Path, changed: dict[str, int]) -> int:
    """Print a run from a file, each step of which has been replayed; the status is that of what it violates."""
    from m4alloc.model import runs
    from spec.model.counterexample import ReplayError

    try:
        _, found = runs.read(file, changed)
    except OSError as error:
        raise UsageError(_told(error)) from error
    except (ValueError, ReplayError) as error:
        raise UsageError(str(error)) from error
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
