"""A finding as a test: a module that a user pastes into a project, where it fails until the allocator is mended."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from m4alloc.check.showing import asked, shown
from spec.contract import Rule
from spec.script_writer import render
from spec.statement import Script

VARIABLE = "ALLOCATOR"
"""The environment variable that names another library to test."""
WIDTH = 88
"""Columns of the prose in the module; the lines of the script are as long as they are."""


def pytest_module(
    script: Script,
    *,
    library: str = "system",
    symbol_prefix: str = "",
    times: int = 10,
    rule: Rule | None = None,
    message: str = "",
) -> str:
    """The text of a test module that puts the requests of `script` to a library, `times` times.

    library: the path that the test uses unless the environment variable ALLOCATOR names another. symbol_prefix: as in
    je_malloc. rule, message: what was found, where the script does not claim it.
    The module needs m4alloc and pytest. It is laid out as `ruff format` lays it out.  Cost: O(length).

    >>> from spec.script import parse
    >>> text = "a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010   ! violates result-disjoint"
    >>> print(pytest_module(parse(text), library="/opt/libmine.so"), end="")
    \"\"\"libmine.so: result-disjoint.
    <BLANKLINE>
    A block shares no byte with any other live block. (glibc malloc(3))
    <BLANKLINE>
    What was seen: malloc(24) at event 2 returned 0x1010 with 24 bytes, 16 bytes into block
    #1 (24 bytes at 0x1000), live since event 1.
    \"\"\"
    <BLANKLINE>
    import os
    <BLANKLINE>
    from m4alloc.check import holds
    <BLANKLINE>
    LIBRARY = os.environ.get("ALLOCATOR", "/opt/libmine.so")
    SCRIPT = \"\"\"
    a = malloc 24
    b = malloc 24
    \"\"\"
    <BLANKLINE>
    <BLANKLINE>
    def test_result_disjoint() -> None:
        holds(LIBRARY, SCRIPT)
    """
    seen = shown(script, rule, message)
    file = library.rpartition("/")[2]
    prose = [f"{file}: {seen.rule.name if seen else 'the contract of malloc'}."]
    if seen is not None:
        prose += ["", f"{seen.rule.sentence} ({seen.clause})"]
        prose += ["", f"What was seen: {seen.message}."] if seen.message else []
    options = [f"times={times}"] if times != 10 else []
    options += [f'symbol_prefix="{symbol_prefix}"'] if symbol_prefix else []
    name = seen.rule.name.replace("-", "_") if seen is not None else "the_contract_holds"
    lines = [line for text in prose for line in textwrap.wrap(_inside(text), WIDTH) or [""]]
    return _MODULE.format(
        prose="\n".join([*lines, ""] if len(lines) > 1 else lines),
        library=_call("LIBRARY = os.environ.get", [f'"{VARIABLE}"', _string(library)]),
        script=_inside(render(requests_only(script))),
        name=name,
        held=_call("    holds", ["LIBRARY", "SCRIPT", *options]),
    )


_MODULE = '''\
"""{prose}"""

import os

from m4alloc.check import holds

{library}
SCRIPT = """
{script}"""


def test_{name}() -> None:
{held}
'''


def requests_only(script: Script) -> Script:
    """The script without replies and without what was found: only requests, and which of them are misuse.

    >>> from spec.script import parse, render
    >>> text = "a = malloc 8 -> 0x10 usable 8\\nfree a\\nfree a ! misuse double-free a\\nb = malloc 8 -> 0x10"
    >>> print(render(requests_only(parse(text))), end="")
    a = malloc 8
    free a
    free a    ! misuse double-free a
    b = malloc 8
    """
    steps = []
    for step in script.steps:
        claims = tuple(claim for claim in step.claims if claim.kind not in ("violates", "caught"))
        if step.event is not None or claims:
            steps.append(replace(asked(step), claims=claims))
    return replace(script, steps=tuple(steps))


def _call(head: str, arguments: list[str]) -> str:
    """A call, broken over lines where the formatter breaks it."""
    line = f"{head}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(head) - len(head.lstrip()))
    inner = f"{indent}    {', '.join(arguments)}"
    if len(inner) > WIDTH:
        inner = "\n".join(f"{indent}    {argument}," for argument in arguments)
    return f"{head}(\n{inner}\n{indent})"


def _inside(text: str) -> str:
    """Text as it stands between three double quotes."""
    return text.replace("\\", "\\\\").replace('"""', '""\\"')


def _string(text: str) -> str:
    """A string literal as the formatter writes it: in double quotes unless that takes more escapes."""
    plain = repr(text)
    if plain[0] == "'" and '"' not in plain:
        return f'"{plain[1:-1]}"'
    return plain
