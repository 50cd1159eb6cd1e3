"""Heap scripts: histories as text, one event a line, with names for blocks and claims to check.

>>> from spec import script
>>> told = script.parse("a = malloc 24 -> 0x1000\\nfree a\\nexpect a dead")
>>> script.check(told).ok, script.to_events(told)[1].address
(True, 4096)
>>> print(script.render(script.from_events(script.to_events(told))), end="")
a = malloc 24 -> 0x1000
free a
"""

from spec.script_history import from_events, to_events
from spec.script_reader import parse
from spec.script_run import Allocator, Outcome, check, run
from spec.script_writer import render
from spec.statement import Claim, Pointer, Script, ScriptError, Settings, Step

__all__ = [
    "Allocator",
    "Claim",
    "Outcome",
    "Pointer",
    "Script",
    "ScriptError",
    "Settings",
    "Step",
    "check",
    "from_events",
    "parse",
    "render",
    "run",
    "to_events",
]
