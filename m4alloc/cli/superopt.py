"""Rewrite code into something cheaper, and prove every rewrite."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import (
    Subparsers,
    add_budget,
    add_jobs,
    add_json,
    add_output,
    add_scheduler,
    add_seed,
    add_verb,
    end_of_options,
    parser_of,
    words_of,
)
from m4alloc.cli._values import count_of

TARGETS = ("x86-64", "x86-64-v3", "aarch64", "riscv64")
OBJECTIVES = ("ir", "instructions", "latency")
METHODS = (
    "seeds, 'llvm -O3', idioms, rules, enumeration, mcmc (the default: these), mcts, policy, random, egglog; repeatable"
)


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc superopt [OPTION ...] FILE`, `--verify A B` or `--rules [KIND]`."""
    parser = add_verb(
        subparsers,
        "superopt",
        __doc__ or "",
        usage=["[OPTION ...] FILE", "--verify A B [--assume FACT ...]", "--rules [KIND]"],
        more="FILE is LLVM's text (.ll), C (.c, through clang) or Cython (.pyx).",
        examples=[
            "m4alloc superopt f.c --function f",
            "m4alloc superopt f.ll --assume 'size <= 32768' --budget 5m -o report",
            "m4alloc superopt --verify before.ll after.ll",
        ],
        status="0 there is an answer, of which `nothing cheaper` is one; 2 usage; 3 nothing in the file can be "
        "searched; 130 interrupted, with the best so far. With --verify: 0 B refines A, 1 it does not, 3 not decided.",
        page="docs/superopt.md",
    )
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="what to make cheaper")
    add("--verify", nargs=2, metavar=("A", "B"), help="does the function in B refine that in A? (instead of a search)")
    add(
        "--rules",
        nargs="?",
        const="",
        metavar="KIND",
        help="list the rewrite rules, or those of one kind; cheri: over capabilities (instead of a search)",
    )
    add = parser.add_argument_group("the code").add_argument
    add("--function", metavar="NAME", help="this function only; by its name in the source (default: every one)")
    add("--assume", action="append", default=[], metavar="FACT", help="a fact about arguments; repeatable")
    add("--shared", action="store_true", help="other threads may touch the memory: keep every access and its order")
    add(
        "--unroll",
        type=count_of,
        default=0,
        metavar="N",
        help="with --verify: follow a loop so often (default %(default)s)",
    )
    add("--clang", action="append", default=[], metavar="FLAG", help="for clang, as in --clang=-Iinclude; repeatable")
    add(
        "--isa",
        default="",
        metavar="NAME",
        help="of capability code: morello, cheri-riscv, cheri-riscv-trapping, riscv-draft (default: none is meant)",
    )
    add("--target", choices=TARGETS, default="x86-64", help="whose assembly is counted (default %(default)s)")
    add = parser.add_argument_group("the search").add_argument
    add("--objective", choices=OBJECTIVES, default="ir", help="what is made smaller (default %(default)s)")
    add_budget(add, "60s", "for each function")
    add("--method", action="append", default=[], metavar="NAME", help=METHODS)
    add("--weights", metavar="FILE", help="of a trained agent, for --method policy (default: the bundled ones)")
    add(
        "--thorough",
        action="store_true",
        help="use up the budget although enumeration tried all it can of smaller ones",
    )
    add_seed(add, "the searches")
    add_jobs(add, 2, "processes: 2 for one function, or a function each")
    add_scheduler(add)
    add("--no-measure", action="store_true", help="do not time what was found")
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "DIR", None, "the folder for before.ll, after.ll, report.json and report.html")
    add("--resume", action="store_true", help="do not search again what the folder has as finished")
    add("--assembly", action="store_true", help="show the assembly of the target too")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Search, verify or list; print the report, and return the exit status it stands for."""
    from m4alloc.tune.engine import EngineError

    try:
        if arguments.rules is not None:
            return _rules(arguments)
        if arguments.verify is not None:
            return _verify(arguments)
        return _rewrite(arguments)
    except ModuleNotFoundError as error:
        if error.name is None:
            raise UsageError(str(error)) from error  # it says itself what installs it
        extra = "cluster" if error.name in {"dask", "distributed"} else "superopt"
        raise UsageError(f"{error}; install it with: pip install 'm4alloc[{extra}]'") from error
    except BrokenPipeError:
        raise  # whoever read what was printed has enough
    except EngineError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(told(error)) from error
    except ValueError as error:
        # IrError, FactError, SignatureError, SuperoptError, MethodError: the input was at fault.
        raise UsageError(str(error)) from error


def _rules(arguments: argparse.Namespace) -> int:
    from m4alloc.superopt import text
    from m4alloc.superopt.prove_rules import listing

    if arguments.rules == "cheri":
        return _rules_cheri(arguments)
    rows = listing(arguments.rules or None)
    if arguments.json:
        told = [
            {
                "name": row.name,
                "kind": row.kind,
                "rewrite": row.rewrite,
                "needs": row.needs,
                "reason": row.reason,
                "widths": list(row.widths),
                "not_proved": {str(width): how for width, how in row.not_proved},
            }
            for row in rows
        ]
        print(json.dumps({"schema": "m4alloc/1", "verb": "superopt", "mode": "rules", "rules": told}, indent=1))
    else:
        print("\n".join(text.rules(rows)))
    return 0


def _rules_cheri(arguments: argparse.Namespace) -> int:
    from m4alloc.check import progress
    from m4alloc.superopt.run_cheri import rules
    from m4alloc.view.quantity import duration

    rows = rules(arguments.isa, budget=arguments.budget, progress=progress.on_stderr())
    if arguments.json:
        told = [{"kind": "cheri", **asdict(row)} for row in rows]
        print(json.dumps({"schema": "m4alloc/1", "verb": "superopt", "mode": "cheri-rules", "rules": told}, indent=1))
        return 0
    for row in rows:
        needs = f"  if {row.condition}" if row.condition else ""
        print(f"{row.name:<12}{'sound' if row.sound else 'WRONG'}  {row.rewrite}{needs}")
        print(f"{'':<19}{row.reason}")
        if row.state:
            print(f"{'':<19}on {arguments.isa}: {row.state} ({duration(row.seconds)})", flush=True)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from m4alloc.superopt import text
    from m4alloc.superopt.run import verify

    first, second = arguments.verify
    if _over_capabilities(arguments, first, second):
        return _verify_cheri(arguments)
    report = verify(
        first,
        second,
        function=arguments.function,
        assume=arguments.assume,
        budget=arguments.budget,
        shared=arguments.shared,
        unroll=arguments.unroll,
        clang=arguments.clang,
    )
    print(json.dumps(report.to_json(), indent=1) if arguments.json else "\n".join(text.verified(report)))
    return report.exit_status


def _rewrite(arguments: argparse.Namespace) -> int:
    from m4alloc.check import progress
    from m4alloc.superopt import files, text
    from m4alloc.superopt.pipeline import METHODS
    from m4alloc.superopt.run import superopt

    if arguments.file is None:
        raise UsageError("no file is named; one of .ll, .c or .pyx is wanted, as in: m4alloc superopt f.ll")
    if arguments.resume and arguments.output is None:
        raise UsageError("--resume goes on with what a folder holds: name it with -o DIR")
    folder = None if arguments.output is None else Path(arguments.output)
    if folder is not None:
        files.ready(folder)
    if _over_capabilities(arguments, arguments.file):
        return _rewrite_cheri(arguments, folder)
    report = superopt(
        arguments.file,
        function=arguments.function,
        assume=arguments.assume,
        target=arguments.target,
        objective=arguments.objective,
        methods=arguments.method or METHODS,
        weights=arguments.weights,
        budget=arguments.budget,
        seed=arguments.seed,
        jobs=arguments.jobs,
        scheduler=arguments.scheduler,
        state=None if folder is None else folder / files.STATE,
        resume=arguments.resume,
        shared=arguments.shared,
        thorough=arguments.thorough,
        measure=not arguments.no_measure,
        clang=arguments.clang,
        progress=progress.on_stderr(),
        tell=lambda line: print(f"m4alloc superopt: {line}", file=sys.stderr, flush=True),
    )
    if report.interrupted and folder is not None and report.wanted > 1:
        report = replace(report, resume=resume_line(arguments))
    if folder is not None:
        report = files.write(report, folder)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=1))
    else:
        print("\n".join(text.lines(report, assembly=arguments.assembly)))
    return report.exit_status


def _over_capabilities(arguments: argparse.Namespace, *paths: str) -> bool:
    """The files hold capability code; UsageError where --isa is given for what does not."""
    if not (arguments.isa or any(path.endswith(".ll") for path in paths)):
        return False
    from m4alloc.superopt.run_cheri import is_capability_code

    found = [is_capability_code(path) for path in paths]
    if arguments.isa and not all(found):
        path = paths[found.index(False)]
        raise UsageError(f"--isa is for capability code, and {path} has neither addrspace(200) nor llvm.cheri.*")
    return any(found)


def _verify_cheri(arguments: argparse.Namespace) -> int:
    from m4alloc.superopt.report_cheri import verified
    from m4alloc.superopt.run_cheri import verify_cheri

    report = verify_cheri(
        *arguments.verify,
        isa=arguments.isa,
        function=arguments.function,
        assume=arguments.assume,
        budget=arguments.budget,
    )
    print(json.dumps(report.to_json(), indent=1) if arguments.json else "\n".join(verified(report)))
    return report.exit_status


def _rewrite_cheri(arguments: argparse.Namespace, folder: Path | None) -> int:
    from m4alloc.check import progress
    from m4alloc.superopt import files, report_cheri
    from m4alloc.superopt.run_cheri import superopt_cheri

    report = superopt_cheri(
        arguments.file,
        isa=arguments.isa,
        function=arguments.function,
        assume=arguments.assume,
        budget=arguments.budget,
        progress=progress.on_stderr(),
        tell=lambda line: print(f"m4alloc superopt: {line}", file=sys.stderr, flush=True),
    )
    if folder is not None:
        files.write_cheri(report, folder)
    told = json.dumps(report.to_json(), indent=1) if arguments.json else "\n".join(report_cheri.lines(report))
    print(told)
    return report.exit_status


def resume_line(arguments: argparse.Namespace) -> str:
    """The command that goes on with an interrupted search."""
    words = words_of(parser_of(add_parser), arguments, ["resume"])
    return shlex.join(["m4alloc", "superopt", "--resume", *words, *end_of_options(arguments.file)])
