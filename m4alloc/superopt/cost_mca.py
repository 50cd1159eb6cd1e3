"""Latency or throughput of emitted assembly by llvm-mca, an optional tool of LLVM's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.toolchain import assembly

CPUS = {
    "x86-64": ("x86_64-unknown-linux-gnu", "x86-64"),
    "x86-64-v3": ("x86_64-unknown-linux-gnu", "haswell"),
    "aarch64": ("aarch64-unknown-linux-gnu", "cortex-a57"),
    "riscv64": ("riscv64-unknown-linux-gnu", "sifive-u74"),
}
"""The triple and the core whose model llvm-mca is to use: those that every release since LLVM 14 has a model of."""
RETURN = re.compile(r"ret[lqw]?\b")
COMMENT = re.compile(r"(?:^|\s)#(?=\s|$)|//")  # "#1" is a number on AArch64
LABEL = re.compile(r"[\w.$@\"]+:")
ITERATIONS = 100
BRANCH = re.compile(
    r"(j[a-z]+|b|b\.[a-z]+|cbn?z|tbn?z|b(eq|ne|lt|ge|ltu|geu)z?|blez|bgtz|beqz|bnez|call[q]?|bl|tail)\s"
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What llvm-mca says of one function in a row of itself.

    cycles: per run, in a row of 100 that the core overlaps as far as dependences allow.  throughput: the least cycles
    a run that the core's ports allow.  core: whose model was used.
    """

    cycles: float
    throughput: float
    core: str


def estimate(function: Function, target: str = "x86-64") -> tuple[Estimate | None, str]:
    """llvm-mca's estimate with "", or None with the reason why there is none.

    There is none where the tool is not installed, where it does not know the assembly, and where the function
    branches, for llvm-mca follows no branch and would add up both sides.  Cost: about 30 ms.
    """
    tool = shutil.which("llvm-mca")
    if tool is None:
        return None, "llvm-mca is not installed"
    if target not in CPUS:
        return None, f"no model for {target!r}: one of {', '.join(CPUS)}"
    return _estimate(canonical(function), target, tool)


@lru_cache(maxsize=4096)
def _estimate(function: Function, target: str, tool: str) -> tuple[Estimate | None, str]:
    lines = code(assembly(print_function(function), target))
    branches = [line for line in lines if BRANCH.match(line + " ")]
    if branches:
        return None, f"llvm-mca follows no branch: {branches[0]}"
    if not lines:
        return Estimate(0.0, 0.0, CPUS[target][1]), ""
    triple, core = CPUS[target]
    command = [tool, f"-mtriple={triple}", f"-mcpu={core}", f"-iterations={ITERATIONS}", "-json"]
    try:
        done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=20.0)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"llvm-mca: {error}"
    if done.returncode:
        return None, f"llvm-mca: {next(iter(done.stderr.strip().splitlines()), 'no message')}"
    try:
        summary = json.loads(done.stdout)["CodeRegions"][0]["SummaryView"]
        total, runs = float(summary["TotalCycles"]), float(summary["Iterations"])
        return Estimate(total / runs, float(summary["BlockRThroughput"]), core), ""
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return None, f"llvm-mca printed something else than expected: {error}"


def code(text: str) -> list[str]:
    """The lines of assembly text that are instructions, returns left out, without labels and comments.

    >>> code("f:\\n\\tmv a0, a1 # one\\n\\tret\\n")
    ['mv a0, a1']
    """
    lines = []
    for line in text.splitlines():
        rest = COMMENT.split(line, maxsplit=1)[0].strip()
        while label := LABEL.match(rest):
            rest = rest[label.end() :].strip()
        if rest and not rest.startswith(".") and not RETURN.fullmatch(rest.split()[0]):
            lines.append(rest)
    return lines
