"""What one named rule makes of a function, for tests of the library."""

from __future__ import annotations

from m4alloc.superopt import rules
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.match import applications
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked, print_function


def rewritten(name: str, head: str, body: str, *facts: str) -> list[str]:
    """The body after each application of the rule, in one line each; every one is proved first."""
    rule = next(rule for rule in rules.ALL if rule.name == name)
    function = parse_function(f"define {head} {{ {body} }}")
    given = [Fact(text) for text in facts]
    found = []
    for _, _, made in applications(function, (rule,), given):
        result = made()
        checked(result)
        verdict = refines(function, result, given, seconds=10)
        assert verdict.accepted, verdict
        found.append("; ".join(line.strip() for line in print_function(result).splitlines() if line.startswith("  ")))
    return found
