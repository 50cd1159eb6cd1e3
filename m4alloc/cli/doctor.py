"""Say what this machine offers, and how to get what is missing."""

from __future__ import annotations

import argparse
import json
from itertools import groupby

from m4alloc.cli import Exit
from m4alloc.cli._parser import Subparsers, add_json, add_verb
from m4alloc.doctor import doctor


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc doctor [--json]`."""
    parser = add_verb(
        subparsers,
        "doctor",
        __doc__ or "",
        usage=["[--json]"],
        examples=["m4alloc doctor"],
        status="0 the core works, 2 usage, 3 only the pure backend does.",
        page="docs/index.md",
    )
    add_json(parser.add_argument, "the findings")


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
