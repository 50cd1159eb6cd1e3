"""Run reference vectors of CHERI, MTE, temporal logic and the superoptimiser against our own."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc vectors [--json] FILE...`"""
    parser = subparsers.add_parser(
        "vectors",
        help=__doc__,
        description=f"{__doc__} The beginning of a file's name says which: FORMAT-OPERATION as in "
        "128m-setbounds.jsonl.gz for CHERI, mte, or formulas, lasso, ltl3, pairs, ltlf for temporal logic; a file "
        ".json is one of superoptimiser cases. "
        "Exit status: 0 every row passed, 1 some row failed, 2 usage.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="one JSON object a line; .jsonl or .jsonl.gz; or .json"
    )
    parser.add_argument(
        "--budget", type=float, default=60.0, metavar="S", help="seconds of each search of a superoptimiser case (60)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


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
