"""Run reference vectors of CHERI, MTE, temporal logic and the superoptimiser against our own."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError
from m4alloc.cli._parser import Subparsers, add_budget, add_json, add_verb


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc vectors [--budget TIME] [--json] FILE ...`."""
    parser = add_verb(
        subparsers,
        "vectors",
        __doc__ or "",
        usage=["[OPTION ...] FILE ..."],
        more="The beginning of a file's name says which: FORMAT-OPERATION as in 128m-setbounds.jsonl.gz for CHERI, "
        "mte, or formulas, lasso, ltl3, pairs, ltlf for temporal logic; a file .json is one of superoptimiser cases.",
        examples=["m4alloc vectors tests/vectors/cheri/*.gz"],
        status="0 every row passed, 1 some row failed, 2 usage.",
        page="docs/cheri.md",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="one JSON object a line; .jsonl or .jsonl.gz; or .json")
    add_budget(add, "60s", "for each search of a superoptimiser case")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Judge every file, print a line for each, and return 1 if any row failed."""
    from m4alloc.check.progress import on_stderr
    from m4alloc.vectors.registry import UnknownVectorError
    from m4alloc.vectors.run import VectorError, VectorsReport, judge, vectors

    try:
        if arguments.json:
            report = vectors(arguments.files, budget=arguments.budget, progress=on_stderr())
            print(json.dumps(report.to_json(), indent=2))
            return report.exit_status
        done = []
        for file in arguments.files:
            done.append(judge(file, budget=arguments.budget, progress=on_stderr()))
            print("\n".join(done[-1].lines()), flush=True)
    except (UnknownVectorError, VectorError) as error:
        raise UsageError(str(error)) from error
    except ModuleNotFoundError as error:
        raise UsageError(f"{error}; install it with: pip install 'm4alloc[superopt]'") from error
    return VectorsReport(tuple(done)).exit_status
