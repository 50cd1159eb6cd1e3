"""Vector files to a report: every row is judged, and the first that disagree are kept in full."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.vectors.registry import find
from m4alloc.vectors.row import Check, Mismatch, RowError, Skip

SHOWN = 3
"""How many failing rows of a file are kept in full."""


class VectorError(ValueError):
    """A vector file cannot be read: which, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A row on which model and reference disagree. line: counted from 1."""

    line: int
    row: dict[str, Any]
    mismatches: tuple[Mismatch, ...]

    def lines(self) -> list[str]:
        """The row as it is in the file, then a line for each field."""
        return [f"line {self.line}: {json.dumps(self.row)}", *(f"  {mismatch}" for mismatch in self.mismatches)]

    def to_json(self) -> dict[str, Any]:
        fields = [
            {"field": mismatch.field, "reference": mismatch.reference, "model": mismatch.model}
            for mismatch in self.mismatches
        ]
        return {"line": self.line, "row": self.row, "mismatches": fields}


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file. failures: the first of the failed rows. skips: how many rows were skipped for which reason."""

    file: str
    passed: int
    failed: int
    skips: dict[str, int]
    failures: tuple[Failure, ...]

    @property
    def skipped(self) -> int:
        """Rows that record an emulator rather than the architecture."""
        return sum(self.skips.values())

    def lines(self) -> list[str]:
        """The file's line, then the reasons for skipping, then the first mismatches in full."""
        told = [f"{self.file}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped"]
        told += [f"  {count} skipped: {reason}" for reason, count in self.skips.items()]
        told += [f"  {line}" for failure in self.failures for line in failure.lines()]
        more = self.failed - len(self.failures)
        return told + ([f"  and {more} more"] if more else [])

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "skips": self.skips,
            "failures": [failure.to_json() for failure in self.failures],
        }


@dataclass(frozen=True, slots=True)
class VectorsReport:
    """All files, in the order in which they were named."""

    files: tuple[FileReport, ...]

    @property
    def exit_status(self) -> int:
        """1 if any row failed, else 0."""
        return 1 if any(file.failed for file in self.files) else 0

    def to_json(self) -> dict[str, Any]:
        files = [file.to_json() for file in self.files]
        return {"schema": "m4alloc/1", "verb": "vectors", "exit_status": self.exit_status, "files": files}


def vectors(files: Sequence[str | Path], *, budget: float = 60.0, progress: Progress | None = None) -> VectorsReport:
    """Judge every row of the files, `.jsonl` or `.jsonl.gz`, by the check that each one's name asks for; and those of
    the superoptimiser's `cases.json`.

    budget: seconds for each search of a superoptimiser's case.  Raises UnknownVectorError, VectorError; both are
    ValueErrors.
    """
    return VectorsReport(tuple(judge(file, budget=budget, progress=progress) for file in files))


def judge(file: str | Path, *, budget: float = 60.0, progress: Progress | None = None) -> FileReport:
    """One file.  Raises as `vectors`."""
    with progress or Silent() as shown:
        if Path(file).suffix == ".json":
            from m4alloc.vectors import superopt

            return _judged(file, superopt.check_in(Path(file), budget), list(cases(file)), shown)
        return _judged(file, find(file), rows(file), shown)


def _judged(file: str | Path, check: Check, told: Iterable[tuple[int, dict[str, Any]]], shown: Progress) -> FileReport:
    passed = failed = 0
    skips: Counter[str] = Counter()
    failures: list[Failure] = []
    shown.phase(str(file), len(told) if isinstance(told, list) else None)
    for line, row in told:
        try:
            found = check(row)
        except RowError as error:
            raise VectorError(f"{file}, line {line}: {error}") from error
        if isinstance(found, Skip):
            skips[found.reason] += 1
        elif found:
            failed += 1
            if len(failures) < SHOWN:
                failures.append(Failure(line, row, tuple(found)))
        else:
            passed += 1
        shown.advance(passed + failed)
    return FileReport(str(file), passed, failed, dict(skips), tuple(failures))


def rows(file: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file, with the numbers of their lines; empty lines are passed over.  Raises VectorError."""
    path = Path(file)
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(file, number, line)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise VectorError(f"{file}: cannot be read: {reason}") from error


def cases(file: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a superoptimiser's `cases.json`, with the numbers of their lines.  Raises VectorError."""
    from m4alloc.vectors import superopt

    try:
        yield from superopt.rows(Path(file).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise VectorError(f"{file}, line {error.lineno}: no JSON: {error.msg} at column {error.colno}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise VectorError(f"{file}: cannot be read: {reason}") from error


def _object(file: str | Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise VectorError(f"{file}, line {number}: no JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(row, dict):
        raise VectorError(f"{file}, line {number}: a row is a JSON object in braces, not {line.strip()[:40]}")
    return row
