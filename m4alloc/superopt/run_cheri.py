"""Capability code: each function of a file rewritten on one instruction set, or two of them compared."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.superopt.cheri.killed import UNSOUND, Killed
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.proofs import recorded
from m4alloc.superopt.cheri.prove import Proof, prove
from m4alloc.superopt.cheri.reader import ReadError, read_text
from m4alloc.superopt.cheri.refute import refuted
from m4alloc.superopt.cheri.rewrite import rewritten
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.term import TermError
from m4alloc.superopt.cheri.verify import check_signatures, refines_program
from m4alloc.superopt.equivalence import SignatureError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.report_cheri import CapabilityReport, CapabilityVerify
from m4alloc.superopt.source import definitions, matched

ISAS: Mapping[str, Isa] = {
    "morello": MORELLO,
    "cheri-riscv": ISAV9_128,
    "cheri-riscv-trapping": ISAV8_128,
    "riscv-draft": RISCV_128,
}
"""By their names on the command line; a refused manipulation clears the tag in all but cheri-riscv-trapping."""
_CAPABILITY = re.compile(r"addrspace\(200\)|@llvm\.cheri\.")


class CapabilityError(ValueError):
    """The input is at fault; the message says what would be right."""


def is_capability_code(path: str | Path) -> bool:
    """The file is LLVM's text over capabilities; False for what cannot be read."""
    try:
        return Path(path).suffix == ".ll" and _CAPABILITY.search(Path(path).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def isa_of(name: str) -> Isa:
    """The instruction set of that name.  Raises CapabilityError.

    >>> isa_of("morello")
    Morello
    """
    if name not in ISAS:
        wrong = f"there is no instruction set {name!r}" if name else "capability code means one thing on each machine"
        raise CapabilityError(f"{wrong}; name one with --isa: {', '.join(ISAS)}")
    return ISAS[name]


def superopt_cheri(
    path: str | Path,
    *,
    isa: str,
    function: str | None = None,
    assume: Sequence[str] = (),
    budget: float = 60.0,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> CapabilityReport:
    """Rewrite every function (or one) over capabilities by rules, each step and the whole proved.

    isa: one of ISAS.  assume: conditions on arguments, in the language of terms: "tag(c) and not sealed(c)".
    Functions that cannot be read are told with the reason.  KeyboardInterrupt ends it, with the best so far.
    Raises CapabilityError, IrError, TermError (all ValueErrors), OSError.
    """
    machine = isa_of(isa)
    began = time.monotonic()
    text = Path(path).read_text(encoding="utf-8")
    names = definitions(text)
    if function is not None:
        names = (matched(function, names, str(path)),)
    if not names:
        raise CapabilityError(f"{path}: there is no function to search")
    facts = tuple(Fact(one) for one in assume)
    found, skipped = [], {}
    with progress or Silent() as shown, interrupts_noted() as interrupts:
        for name in names:
            if interrupts:
                break
            try:
                program = _read(text, name, machine, path)
            except ReadError as error:
                skipped[name] = str(error)
                continue
            shown.phase(f"@{name} on {isa}")
            interrupts.at_once = True
            one = rewritten(program, facts, isa=machine, seconds=budget)
            interrupts.at_once = False
            tell(f"@{name}: {one.source.cost} -> {one.result.cost} operators on {isa}")
            found.append(one)
    return CapabilityReport(
        str(path), isa, machine, facts, tuple(found), skipped, time.monotonic() - began, bool(interrupts)
    )


def verify_cheri(
    first: str | Path,
    second: str | Path,
    *,
    isa: str,
    function: str | None = None,
    assume: Sequence[str] = (),
    budget: float = 60.0,
) -> CapabilityVerify:
    """Whether the capability function in `second` refines that in `first` on an instruction set.

    Raises CapabilityError, ReadError, TermError: all are ValueErrors; OSError.
    """
    machine = isa_of(isa)
    programs = []
    for path in (first, second):
        text = Path(path).read_text(encoding="utf-8")
        names = definitions(text)
        if function is None and len(names) != 1:
            raise CapabilityError(
                f"{path} defines {len(names)} functions; name one with --function: {', '.join(names)}"
            )
        programs.append(_read(text, matched(function or names[0], names, str(path)), machine, path))
    source, target = programs
    facts = tuple(Fact(one) for one in assume)
    try:
        check_signatures(source, target)
    except SignatureError as error:
        raise CapabilityError(str(error)) from None
    verdict = refines_program(source, target, facts, isa=machine, seconds=budget)
    return CapabilityVerify(str(first), str(second), isa, source, target, verdict)


def _read(text: str, name: str, isa: Isa, path: str | Path) -> Program:
    try:
        return read_text(text, name, bits=isa.format.address_bits, where=str(path))
    except ReadError:
        raise
    except IrError as error:
        raise CapabilityError(str(error)) from error


@dataclass(frozen=True)
class ListedRule:
    """A rule over capabilities.  sound: the published table says so; state: what was found on the instruction set, ""
    where none was named; seconds: that it took."""

    name: str
    sound: bool
    rewrite: str
    condition: str
    reason: str
    state: str = ""
    seconds: float = 0.0


def rules(isa: str = "", *, budget: float = 60.0, progress: Progress | None = None) -> Iterator[ListedRule]:
    """The sound rules and the tempting wrong ones; with an instruction set, what is proved of each there.

    Proofs that come with the package are told as they were recorded; others are made, and wrong rules are refuted, on
    the spot.  budget: seconds for each of those.  Raises CapabilityError.
    """
    machine = isa_of(isa) if isa else None
    known = {} if machine is None else _recorded(machine)
    with progress or Silent() as shown:
        shown.phase(f"rules on {isa}", len(SOUND) + len(UNSOUND))
        for done, rule in enumerate(SOUND):
            shown.advance(done)
            proof = known.get(rule.name)
            if proof is None and machine is not None:
                proof = prove(rule, machine, seconds=budget)
            state = "" if proof is None else f"{proof.outcome}: {proof.method}"
            yield ListedRule(
                rule.name, True, f"{rule.pattern} -> {rule.replacement}", _needs(rule), rule.reason, state,
                0.0 if proof is None else proof.seconds,
            )  # fmt: skip
        for done, killed in enumerate(UNSOUND, len(SOUND)):
            shown.advance(done)
            began = time.monotonic()
            state = "" if machine is None else _refutation(killed, machine, budget)
            rule = killed.rule
            reason = f"{killed.effect}; wrong {killed.blame.value}"
            yield ListedRule(
                rule.name, False, f"{rule.pattern} -> {rule.replacement}", _needs(rule), reason, state,
                time.monotonic() - began,
            )  # fmt: skip


def _recorded(isa: Isa) -> dict[str, Proof]:
    """The proofs that come with the package, by rule; none where it has none."""
    try:
        return {proof.rule: proof for proof in recorded() if proof.isa == str(isa)}
    except FileNotFoundError:
        return {}


def _needs(rule: Rule) -> str:
    needs = "" if rule.condition == "true" else rule.condition
    if rule.trapping is None:
        return "; ".join([*([needs] if needs else []), "not where a refused manipulation traps"])
    trapping = "" if rule.trapping == "true" else f"where it traps also {rule.trapping}"
    return "; ".join(filter(None, (needs, trapping)))


def _refutation(killed: Killed, isa: Isa, seconds: float) -> str:
    condition = killed.rule.condition_on(isa)
    if condition is None:
        return "not used: no such instruction"
    try:
        failure = refuted(killed.rule.source, killed.rule.target, condition, isa, seconds=seconds)
    except TermError as error:
        return f"not decided: {error}"
    if failure is None:
        return "not refuted: no input was found"
    return f"refuted: {failure.effect.value}, {failure.effect.verdict}: {failure.counterexample}"
