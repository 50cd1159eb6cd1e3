"""What has been run, written down run by run, so that a benchmark that was interrupted goes on later.

The file has one JSON object a line: first what the benchmark is, then one a run. A line that was cut short is no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from m4alloc.bench.job import Job
from m4alloc.trace.whole import write_whole

NAME = "state.jsonl"


class StateError(ValueError):
    """The folder holds no benchmark that could go on, or another one; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run gave.

    error: how it failed; empty: it did not. wall, user, system: seconds. peak: bytes. operations: allocator calls that
    the program counted, 0 when it counts none. output: its checksum, or a digest of what it printed. status: its own.
    detail: what a harness measured.
    """

    error: str = ""
    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    peak: int = 0
    operations: int = 0
    output: str = ""
    status: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """Seconds of processor time."""
        return self.user + self.system


class State:
    """The runs made so far, by their keys, and the file that keeps them, if any.

    identity: all that the benchmark depends on. resume: go on with what the file holds.
    Raises StateError: the file is of another benchmark; OSError.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self.runs: dict[str, Measured] = {}
        if path is None:
            return
        if resume and path.exists():
            self._load(path, identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{"benchmark": dict(identity)}, *({"job": key, **asdict(run)} for key, run in self.runs.items())]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))

    def add(self, job: Job, run: Measured) -> None:
        """Keep a run; it is on disk when this returns."""
        self.runs[job.key] = run
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"job": job.key, **asdict(run)}) + "\n")

    def _load(self, path: Path, identity: Mapping[str, Any]) -> None:
        first, *rest = path.read_text(encoding="utf-8").splitlines() or [""]
        try:
            held = json.loads(first)["benchmark"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise StateError(f"{path}: no state of a benchmark") from None
        for name, value in json.loads(json.dumps(dict(identity))).items():
            if held.get(name) != value:
                told = f"{name} {_short(held.get(name), value)}, now it is {_short(value, held.get(name))}"
                raise StateError(
                    f"{path}: the benchmark there had {told}; it goes on only as it began (or choose another --output)"
                )
        for line in rest:
            try:
                entry = json.loads(line)
                key = entry.pop("job")
                self.runs[key] = Measured(**entry)
            except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
                continue  # cut short when the machine went down


def _short(value: Any, other: Any) -> str:
    """A value for a message; of two mappings or lists only what is not in the other."""
    if isinstance(value, dict) and isinstance(other, dict):
        value = {name: one for name, one in value.items() if other.get(name) != one}
    elif isinstance(value, list) and isinstance(other, list):
        value = [one for one in value if one not in other] or value
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]} ..."
