"""The rows of superoptimiser cases: pairs of functions to accept or to reject, and sources whose best known is known.

A file `cases.json` names functions in files beside it: `pairs` with `a`, `b` and what is `expected` of "b refines a";
`superopt` with `src`, `best` and `best_known_ir`, the fewest instructions known, returns not counted.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from m4alloc.superopt.equivalence import funnel
from m4alloc.superopt.ir import Function
from m4alloc.superopt.pipeline import superoptimise
from m4alloc.superopt.problem import Budget, Problem
from m4alloc.superopt.source import chosen
from m4alloc.vectors.row import Mismatch, Row, RowError, compare

PROOF = 60.0
"""Seconds for one verdict."""


def rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of such a file with the numbers of their lines, pairs first.  Raises ValueError.

    >>> list(rows('{"pairs": [\\n{"id": "n02", "a": "a.ll"}], "superopt": []}'))
    [(2, {'id': 'n02', 'a': 'a.ll', 'kind': 'pairs'})]
    """
    told = json.loads(text)
    if not isinstance(told, dict) or not told.keys() & {"pairs", "superopt"}:
        raise ValueError("an object with the fields pairs and superopt is wanted")
    for kind in ("pairs", "superopt"):
        for row in told.get(kind, ()):
            if not isinstance(row, dict) or "id" not in row:
                raise ValueError(f"a row of {kind} has no id: {str(row)[:40]}")
            place = re.search(rf'"id":\s*{re.escape(json.dumps(row["id"]))}', text)
            yield text.count("\n", 0, place.start() if place else 0) + 1, {**row, "kind": kind}


def check(folder: Path, budget: float, row: Row) -> list[Mismatch]:
    """What a row says otherwise than we do.  budget: seconds of the search for a `superopt` row.

    A pair is accepted on a proof only, and rejected on a counterexample and where nothing is decided.  More
    instructions than the fewest known are a mismatch, fewer are not.  Raises RowError.
    """
    if row["kind"] == "pairs":
        verdict = funnel(*_functions(folder, row, "a", "b"), seconds=PROOF)
        return compare(row, {"expected": "accept" if verdict.accepted else "reject"})
    source, best = _functions(folder, row, "src", "best")
    known = row.get("best_known_ir")
    if not isinstance(known, int):
        raise RowError(f"row {row['id']} has no number best_known_ir: it has {', '.join(row)}")
    verdict = funnel(source, best, seconds=PROOF)
    mismatches = compare({"best": "refines"}, {"best": verdict.outcome.value})
    found = superoptimise(Problem(source), Budget(budget), jobs=2)
    return mismatches + ([Mismatch("best_known_ir", known, found.best.cost.ir)] if found.best.cost.ir > known else [])


def check_in(path: Path, budget: float) -> functools.partial[list[Mismatch]]:
    """The check for the rows of the file at `path`."""
    return functools.partial(check, path.parent, budget)


def _functions(folder: Path, row: Row, first: str, second: str) -> tuple[Function, Function]:
    try:
        return chosen(folder / row[first]), chosen(folder / row[second])
    except KeyError as missing:
        raise RowError(f"row {row['id']} has no field {missing}: it has {', '.join(row)}") from missing
    except (ValueError, TypeError, OSError) as error:
        raise RowError(f"row {row['id']}: {error}") from error
