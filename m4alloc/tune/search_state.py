"""What a campaign has evaluated, written down candidate by candidate, so that one that was interrupted goes on later.

The file has one JSON object a line: first what the campaign is, then one a candidate. A last line that was cut short is
no candidate. To go on is to begin anew with what the file holds instead of evaluating it again: the points are then the
same, whatever was done before and after the interruption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from m4alloc.strategy import Strategy
from m4alloc.trace.whole import write_whole
from m4alloc.tune.evaluate import Scored, failed
from m4alloc.tune.result import Objectives
from m4alloc.tune.space import told

NAME: Final = "state.jsonl"


class SearchStateError(ValueError):
    """The file is no state of a campaign, or of another one; the message says what differs."""


class SearchState:
    """The evaluations made so far, by their strategies, and the file that keeps them, if any.

    identity: all that the campaign depends on but its budget, which may be extended. resume: go on with what the file
    holds; else it begins anew. Raises: SearchStateError, OSError.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self._held: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        if resume and path.exists():
            self._load(path, identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{"campaign": dict(identity)}, *self._held.values()]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))

    def __len__(self) -> int:
        return len(self._held)

    def get(self, strategy: Strategy) -> Scored | None:
        """What the strategy was worth, when the file has it."""
        line = self._held.get(told(strategy))
        if line is None:
            return None
        if line["failure"]:
            return failed(strategy, line["failure"])
        return Scored(strategy, Objectives(*line["objectives"]), ratios=tuple((t, m) for t, m in line["ratios"]))

    def add(self, one: Scored) -> None:
        """Keep an evaluation; when this returns the system has it, so that it outlives this process."""
        line = {
            "strategy": told(one.strategy),
            "objectives": [] if one.failed else [one.objectives.time, one.objectives.memory, one.objectives.security],
            "ratios": [list(pair) for pair in one.ratios],
            "failure": one.failure,
        }
        self._held[line["strategy"]] = line  # type: ignore[index]
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _load(self, path: Path, identity: Mapping[str, Any]) -> None:
        first, *rest = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        try:
            held = json.loads(first)["campaign"]
            held.get("method")
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise SearchStateError(f"{path}: no state of a campaign") from None
        for name, value in json.loads(json.dumps(dict(identity))).items():
            if held.get(name) != value:
                raise SearchStateError(
                    f"{path}: the campaign there had another {_differing(name, held.get(name), value)}; "
                    "it goes on only as it began (or choose another folder)"
                )
        for line in rest:
            try:
                entry = json.loads(line)
                objectives, ratios = entry["objectives"], entry["ratios"]
                count = len(identity.get("workloads", ratios))
                whole = bool(entry["failure"]) or (
                    len(objectives) == 3 and len(ratios) == count and all(len(pair) == 2 for pair in ratios)
                )
                if whole:
                    self._held[entry["strategy"]] = entry
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # cut short when the machine went down


def _differing(name: str, held: Any, value: Any) -> str:
    """What differs, as deep as both have the same names."""
    if isinstance(held, dict) and isinstance(value, dict):
        for key in value:
            if held.get(key) != value[key]:
                return _differing(f"{name}.{key}", held.get(key), value[key])
    if isinstance(held, list) and isinstance(value, list) and len(held) == len(value):
        for place, (one, other) in enumerate(zip(held, value, strict=True)):
            if one != other:
                return _differing(f"{name}[{place}]", one, other)
    return f"{name}: {_short(held)}, now it is {_short(value)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:120]} ..."
