"""A finding as one C file: what an allocator's maintainers get with the bug report, and build and run without m4alloc.

The program makes the calls of the script and no others, and behind each it asks what the contract asks. Which check
stands for which rule is said in `m4alloc.check.reproduce_rules`.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path

from m4alloc.check.reproduce_program import Program, harmless
from m4alloc.check.reproduce_rules import UNSEEN
from m4alloc.check.showing import Shown, shown
from spec.contract import Rule
from spec.event import NOT_OBSERVED, Function
from spec.script_words import REPLYING
from spec.script_writer import line_of
from spec.statement import Script

LINES = 60
"""Steps of the script that the comment at the top shows: the last ones."""


def c_program(
    script: Script,
    *,
    library: str = "system",
    symbol_prefix: str = "",
    environment: Mapping[str, str] | None = None,
    rule: Rule | None = None,
    message: str = "",
    measures: bool | None = None,
    file: str = "reproduce.c",
) -> str:
    """The text of a C program that makes the calls of `script` and returns 1 where the allocator breaks the contract.

    library: the path of the allocator, or "system", as the comment at the top names it. symbol_prefix: as in je_malloc;
    the program is then linked with the library instead of run under LD_PRELOAD. environment: variables of the run.
    rule, message: what was found, where the script does not claim it. measures: whether the library has a
    malloc_usable_size; when not given, whether the replies of the script say so. file: what the program's file is
    called, in the comment at the top.
    Exit status: 1 with a line that says what was wrong; 0 and "not reproduced"; 2 when it cannot run.
    Cost: O(length).

    >>> from spec.script import parse
    >>> text = c_program(parse("a = malloc 24\\nb = malloc 24   ! violates result-disjoint"), library="./libmine.so")
    >>> print(text[text.index("int main") :])
    int main(void)
    {
        begin();
    <BLANKLINE>
        step("a = malloc 24");
        got(a, call_malloc(24), 24, 16);
        fill(a);
    <BLANKLINE>
        step("b = malloc 24");
        got(b, call_malloc(24), 24, 16);
        fill(b);
    <BLANKLINE>
        return finish();
    }
    <BLANKLINE>
    """
    seen = shown(script, rule, message)
    measured = has_usable_size(script) if measures is None else measures
    program = Program(script, seen, symbol_prefix, measured, preloads=library != "system" and not symbol_prefix)
    top = _comment(script, seen, library, commands(library, symbol_prefix, environment, file))
    return f"{top}\n{program.text()}"


def has_usable_size(script: Script) -> bool:
    """Whether the library has malloc_usable_size: the replies of the script show it, or there are no replies."""
    events = [step.event for step in script.steps if step.event is not None]
    if any(event.usable != NOT_OBSERVED or event.function == Function.USABLE_SIZE for event in events):
        return True
    return not any(step.replied and step.event is not None and step.event.result for step in script.steps)


def _comment(script: Script, seen: Shown | None, library: str, build: list[str]) -> str:
    """The comment at the top: what broke, which rule says so, how to build and run."""
    file = Path(library).name if library != "system" else "the C library's own allocator"
    lines = [f"{file} and the contract of malloc." if seen is None else f"{file} breaks {seen.rule.name}.", ""]
    if seen is not None:
        lines += [*_wrapped(f"{seen.rule.sentence} ({seen.clause})"), ""]
        if seen.message:
            lines += [*_wrapped(f"What was seen: {seen.message}."), ""]
        reason = UNSEEN.get(seen.rule.name)
        if reason:
            lines += [*_wrapped(f"This program cannot see it: {reason}"), ""]
    lines += ["The requests, and what they returned then:" if _has_replies(script) else "The requests:", ""]
    told = [line_of(step) for step in script.steps]
    if len(told) > LINES:
        lines.append(f"    ({len(told) - LINES} steps before)")
    lines += [f"    {line}" for line in told[-LINES:]]
    lines += ["", "Build and run:", "", *(f"    {line}" for line in build), ""]
    lines += _wrapped('It prints what is wrong and returns 1, or prints "not reproduced" and returns 0.')
    if any(step.event is not None and step.event.label == "parallel" for step in script.steps):
        lines += _wrapped("Its threads run at the same time: one run may miss what the next one shows.")
    return "\n".join(["/* " + harmless(lines[0]), *(f" * {harmless(line)}".rstrip() for line in lines[1:]), " */"])


def commands(
    library: str, prefix: str = "", environment: Mapping[str, str] | None = None, file: str = "reproduce.c"
) -> list[str]:
    """How the program in `file` is built and run, as two shell commands, in the folder that paths start from.

    >>> for line in commands("./libmine.so", environment={"MINE_SEED": "1"}): print(line)
    gcc -std=gnu17 -Wall -Wextra -O1 -pthread reproduce.c -o reproduce
    MINE_SEED=1 LD_PRELOAD=./libmine.so ./reproduce
    >>> commands("./libje.so", "je_")[0]
    "gcc -std=gnu17 -Wall -Wextra -O1 -pthread reproduce.c ./libje.so '-Wl,-rpath,$ORIGIN' -o reproduce"
    >>> commands("m4alloc", file="findings/free-keeps-errno.c")[1]
    'LD_PRELOAD="$(m4alloc lib)" ./free-keeps-errno'
    """
    output = Path(file).stem
    build = ["gcc", "-std=gnu17", "-Wall", "-Wextra", "-O1", "-pthread", file]
    run = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    if prefix:
        folder = os.path.dirname(library)  # noqa: PTH120 - a Path would drop the leading ./
        origin = "$ORIGIN" if folder in ("", ".") else folder
        build += [library if "/" in library else f"./{library}", f"-Wl,-rpath,{origin}"]
    elif library == "m4alloc":
        run.append('LD_PRELOAD="$(m4alloc lib)"')
    elif library != "system":
        run.append(f"LD_PRELOAD={shlex.quote(library if '/' in library else f'./{library}')}")
    return [shlex.join([*build, "-o", output]), " ".join([*run, shlex.quote(f"./{output}")])]


def _has_replies(script: Script) -> bool:
    return any(step.replied for step in script.steps if step.event and step.event.function in REPLYING)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 108)
