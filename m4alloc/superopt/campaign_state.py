"""What a campaign over many functions has finished, one JSON object a line, so that it can be ended and resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from m4alloc.trace.whole import write_whole


class CampaignStateError(ValueError):
    """The file is no state of a campaign, or of another one; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of one function.

    before, after: cost in the unit of the objective. status: "improved", "nothing cheaper", "failed" or "skipped".
    text: the cheaper function as LLVM's text, "" where there is none. steps: rule and place of each step that led
    there. tally: where the proposals ended. reason: of a failure, or why nothing was found. source: digest of the
    function and of what was asked of it. details: whatever else the solver told, as JSON.
    """

    name: str
    source: str
    status: str
    before: float = 0.0
    after: float = 0.0
    method: str = ""
    proof: str = ""
    text: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    tally: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_improved(self) -> bool:
        """There is a proved and cheaper function."""
        return self.status == "improved"

    def to_json(self) -> dict[str, Any]:
        """As a line of the file has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What to_json gave. Raises: KeyError, TypeError, ValueError."""
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in told.items() if name in known}
        given["steps"] = tuple((str(rule), str(at)) for rule, at in told["steps"])
        return cls(**given)


class CampaignState:
    """The functions finished so far, by name, and the file that keeps them, if any.

    identity: all that the results depend on but the functions. resume: go on with what the file holds; else it begins
    anew. Raises: CampaignStateError, OSError.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self.finished: dict[str, Finished] = {}
        if path is None:
            return
        if resume and path.exists():
            self._load(path, identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{"campaign": dict(identity)}, *(one.to_json() for one in self.finished.values())]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))

    def get(self, name: str, source: str) -> Finished | None:
        """What became of the function, when the file has it and it has not changed since; a failure is tried again."""
        found = self.finished.get(name)
        return found if found is not None and found.source == source and found.status != "failed" else None

    def add(self, one: Finished) -> None:
        """Keep it: when this returns, the line is whole on the disk."""
        self.finished[one.name] = one
        if self.path is None:
            return
        line = (json.dumps(one.to_json()) + "\n").encode()
        # One write that appends: a line is there as a whole or, when the machine goes down, is ignored by _load.
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _load(self, path: Path, identity: Mapping[str, Any]) -> None:
        first, *rest = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        try:
            held = dict(json.loads(first)["campaign"])
        except (ValueError, KeyError, TypeError):
            raise CampaignStateError(f"{path}: no state of a campaign; choose another file, or do not resume") from None
        for name, value in json.loads(json.dumps(dict(identity))).items():
            if held.get(name) != value:
                raise CampaignStateError(
                    f"{path}: the campaign there had {name} = {json.dumps(held.get(name))}, now it is "
                    f"{json.dumps(value)}; it goes on only as it began (or choose another file)"
                )
        for line in rest:
            try:
                one = Finished.from_json(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue  # cut short when the machine went down
            self.finished[one.name] = one
