"""Say what this machine offers, and how to get what is missing."""

from __future__ import annotations

import argparse
import json
from itertools import groupby

from m4alloc.cli import Exit
from m4alloc.doctor import doctor


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc doctor [--json]`."""
    parser = subparsers.add_parser(
        "doctor",
        help=__doc__,
        description=f"{__doc__} Exit status 0 when the core works, 3 when only the pure backend does.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON (docs/json-schema)")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings in groups, one a line, advice under what lacks something."""
    report = doctor()
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        for group, findings in groupby(sorted(report.findings, key=lambda f: ORDER.index(f.group)), lambda f: f.group):
            print(group)
            for finding in findings:
                print(f"  {'yes' if finding.ok else ' - '} {finding.name:<24}{finding.value}")
                if finding.advice:
                    print(f"      {'':<24}{finding.advice}")
        print("\nThe core works." if report.healthy else "\nThe core does not work here; see above.")
    return Exit.HOLDS if report.healthy else Exit.UNDECIDED


ORDER = ["core", "extras", "tools", "cpu", "kernel"]
