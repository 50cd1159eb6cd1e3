"""What came of capability code on an instruction set, and what was refused: as text, JSON and page."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capability.cheri.isa import Isa
from m4alloc.superopt import text
from m4alloc.superopt.cheri.mnemonics import count, to_morello, to_riscv
from m4alloc.superopt.cheri.notation import unparsed
from m4alloc.superopt.cheri.printer import to_llvm
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.rewrite import Rewritten
from m4alloc.superopt.cheri.term import TermError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.page import beside
from m4alloc.superopt.report import SCHEMA
from m4alloc.superopt.report_json import verdict_json
from m4alloc.superopt.verdict import Verdict
from m4alloc.view.html import Html, Page, Section, Tone, callout, code, details, join, listing, paragraph, table
from m4alloc.view.quantity import duration, plural

NOT_RUN = "executed by our model of the instruction set only, not by hardware"


@dataclass(frozen=True)
class CapabilityReport:
    """Of one run on one file of capability code.

    isa: the name on the command line, machine: what it stands for.  skipped: functions that cannot be read, and why.
    """

    where: str
    isa: str
    machine: Isa
    facts: tuple[Fact, ...]
    functions: tuple[Rewritten, ...]
    skipped: Mapping[str, str]
    seconds: float
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """0 there is an answer, 3 no function could be read, 130 interrupted."""
        return 130 if self.interrupted else 0 if self.functions else 3

    @property
    def mode(self) -> str:
        """What happens to a manipulation that is refused."""
        return "clears the tag" if self.machine.illegal.name == "CLEARS_TAG" else "traps"

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it, by docs/json-schema/superopt.json."""
        return {
            "schema": SCHEMA,
            "verb": "superopt",
            "mode": "capability",
            "exit_status": self.exit_status,
            "source": self.where,
            "isa": self.isa,
            "refused_manipulation": self.mode,
            "assumed": [{"text": fact.text, "origin": fact.origin} for fact in self.facts],
            "functions": [self._function(one) for one in self.functions],
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
        }

    def _function(self, one: Rewritten) -> dict[str, Any]:
        return {
            "name": one.source.name,
            "improved": bool(one.steps),
            "before": self._program(one.source),
            "after": self._program(one.result),
            "verdict": verdict_json(one.proof),
            "steps": [
                {
                    "rule": step.rule,
                    "at": step.at,
                    "term": unparsed(step.program.term),
                    "proof": verdict_json(step.proof),
                }
                for step in one.steps
            ],
            "refused": [
                {"rule": each.rule, "at": each.at, "reason": each.reason, "verdict": verdict_json(each.verdict)}
                for each in one.refused
            ],
            "seconds": round(one.seconds, 3),
        }

    def _program(self, program: Program) -> dict[str, Any]:
        listed = mnemonics(program, self.isa)
        return {
            "ir": to_llvm(program),
            "term": unparsed(program.term),
            "operators": program.cost,
            "instructions": count(listed) if listed else -1,
            "assembly": listed,
        }


@dataclass(frozen=True)
class CapabilityVerify:
    """Of `--verify A B` on capability code."""

    first: str
    second: str
    isa: str
    source: Program
    target: Program
    verdict: Verdict

    @property
    def exit_status(self) -> int:
        """0 it does, 1 it does not, 3 not decided."""
        return self.verdict.exit_status

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it, by docs/json-schema/superopt.json."""
        return {
            "schema": SCHEMA,
            "verb": "superopt",
            "mode": "verify",
            "exit_status": self.exit_status,
            "source": self.first,
            "other": self.second,
            "function": self.source.name,
            "isa": self.isa,
            "verdict": verdict_json(self.verdict),
        }


def mnemonics(program: Program, isa: str) -> str:
    """The program's instructions; "" where it has none, or too few registers."""
    try:
        return to_morello(program) if isa == "morello" else to_riscv(program)
    except TermError:
        return ""


def lines(report: CapabilityReport, width: int = 0) -> Iterator[str]:
    """The report, line by line."""
    width = width or shutil.get_terminal_size((120, 40)).columns
    yield f"{report.where} on {report.machine}: a refused manipulation {report.mode}; {NOT_RUN}"
    for one in report.functions:
        yield ""
        yield f"@{one.source.name}"
        before, after = mnemonics(one.source, report.isa), mnemonics(one.result, report.isa)
        if not one.steps:
            yield from _code(to_llvm(one.source))
            yield "nothing cheaper was found: no change that a rule proposes is both cheaper and proved"
        else:
            both = (_code(to_llvm(one.source)), _code(to_llvm(one.result)))
            yield from text.beside(*both, ("before", "after"), width)
            if before and after:
                yield from text.beside(_code(before), _code(after), (f"{report.isa} before", "after"), width)
            machine = f", {count(before)} -> {count(after)} {report.isa} instructions" if before and after else ""
            yield text.line("cost", f"{one.source.cost} -> {one.result.cost} operators{machine}")
            yield from text.proof(one.proof)
            for number, step in enumerate(one.steps, 1):
                told = f"{text.WORD[step.proof.outcome]} by {step.proof.method}"
                yield text.line("step", f"{number}. {step.rule} at {step.at}: {told}")
        for each in one.refused:
            yield text.line("refused", f"{each.rule} at {each.at} {each.reason}")
            if each.verdict.counterexample is not None:
                yield text.line("", str(each.verdict.counterexample))
    for name, why in report.skipped.items():
        yield text.line("skipped", f"@{name}: {why}")
    if report.interrupted:
        yield "interrupted: what is above is the best so far"


def verified(report: CapabilityVerify, width: int = 0) -> Iterator[str]:
    """The answer of `--verify`, line by line."""
    yield f"{report.first}: {unparsed(report.source.term)}"
    yield f"{report.second}: {unparsed(report.target.term)}"
    yield text.line("machine", report.isa)
    yield from text.proof(report.verdict)


def _code(listed: str) -> list[str]:
    return [row.replace("\t", "  ") for row in listed.splitlines() if row.strip() and not row.startswith("declare")]


def page(report: CapabilityReport) -> str:
    """The report as one HTML page."""
    improved = sum(bool(one.steps) for one in report.functions)
    tone: Tone = "warn" if report.interrupted else "good" if improved else "muted"
    sections = [Section(f"@{one.source.name}", _function(one, report)) for one in report.functions]
    if report.skipped:
        rows = [(code(f"@{name}"), why) for name, why in report.skipped.items()]
        sections.append(Section("Skipped", table(("function", "why"), rows)))
    words = shlex.join(["m4alloc", "superopt", "--isa", report.isa, report.where])
    verdict = f"{improved} of {len(report.functions)} made cheaper"
    footer = f"{report.machine}: a refused manipulation {report.mode}; {NOT_RUN}; {duration(report.seconds)} in all"
    title = f"Superoptimising {Path(report.where).name} on {report.isa}"
    return Page(title, verdict, tone, words, sections, footer).write()


def _function(one: Rewritten, report: CapabilityReport) -> Html:
    parts: list[str] = []
    if one.steps:
        both = (_code(to_llvm(one.source)), _code(to_llvm(one.result)))
        parts += [beside(*both, ("before", "after"))]
        before, after = mnemonics(one.source, report.isa), mnemonics(one.result, report.isa)
        if before and after:
            parts.append(beside(_code(before), _code(after), (f"{report.isa} before", "after")))
        parts.append(callout(_proof(one.proof)))
        rows = [(step.rule, step.at, step.proof.method, code(unparsed(step.program.term))) for step in one.steps]
        parts.append(table(("step", "at", "proved by", "the program then"), rows))
    else:
        parts += [callout(["Nothing cheaper was found that is proved."], "muted")]
        parts += [listing("\n".join(_code(to_llvm(one.source))))]
    if one.refused:
        refused = [(each.rule, each.at, each.reason, str(each.verdict.counterexample or "")) for each in one.refused]
        head = f"{plural(len(refused), 'change')} refused"
        parts.append(details(head, table(("rule", "at", "what it would do", "the input that shows it"), refused)))
    parts.append(paragraph(f"{one.source.cost} -> {one.result.cost} operators in {duration(one.seconds)}."))
    return join(parts)


def _proof(verdict: Verdict) -> Sequence[str]:
    return (
        f"Proved by {verdict.method}.",
        *(f"Assuming {fact}." for fact in verdict.assumptions),
        *(f"Shown: {claim}." for claim in verdict.obligations),
    )
