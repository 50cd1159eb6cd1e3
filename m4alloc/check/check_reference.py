"""Hold the reference allocator on capability hardware to what CHERI C demands of allocators."""

from __future__ import annotations

from capability.cheri.isa import ISAS, Isa
from m4alloc.check.check_report import CheckReport, Engine, Written
from m4alloc.check.finding import Finding
from m4alloc.check.verify_report import RuleCount
from m4alloc.view.quantity import plural
from spec.authority_check import check_authority
from spec.authority_reference import ReferenceCapabilities
from spec.contract import CAPABILITY_RULES
from spec.script_history import from_events
from spec.standard import contract

STANDARD = "c17,cheri"
NAMES = ("isav9-128", "morello", "riscv-128", "isav9-64", "riscv-64", "cheriot")
ARCHITECTURES: dict[str, Isa] = dict(zip(NAMES, ISAS, strict=True))
"""What `--architecture` takes."""


def check_reference(architecture: str = "isav9-128", *, standard: str = "", seed: int = 0) -> CheckReport:
    """Let clients do what they may and may not on the reference allocator, and judge each capability that comes back.

    architecture: one of ARCHITECTURES. standard: with cheri in it. seed: of what the clients do at random.
    Raises ValueError: no such architecture or standard.  Cost: some tenths of a second.

    >>> report = check_reference("morello")
    >>> report.verdict.value, len(report.rules) > 9
    ('HOLDS', True)
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture {architecture!r} is unknown; known are {', '.join(ARCHITECTURES)}")
    whole = contract(standard or STANDARD)
    if "cheri" not in whole.standards:
        raise ValueError(f"standard {whole.name}: capabilities are judged where cheri is among the standards")
    isa = ARCHITECTURES[architecture]
    seen = check_authority(lambda: ReferenceCapabilities(isa), standard=whole.name, seed=seed)
    name = f"reference on {isa}"
    written = []
    for scenario, violation in seen.violations:
        script = from_events([violation.event] if violation.event is not None else [])
        found = Finding(
            violation.rule, violation.rule.source, violation.message, "scenarios", scenario, script, seen.calls, 1, 1
        )
        written.append(Written(found, {}, f"m4alloc check reference --architecture {architecture}"))
    broken = {violation.rule.name for _, violation in seen.violations}
    rules = {**whole.rules, **CAPABILITY_RULES}
    return CheckReport(
        name,
        (),
        whole.name,
        seed,
        0.0,
        (Engine("scenarios", seen.calls, f"{plural(seen.calls, 'call')}, seed {seed}", tuple(sorted(broken))),),
        tuple(
            RuleCount(rule.name, rule.sentence, rule.source, seen.tally.get(rule.name, 0), int(rule.name in broken))
            for rule in rules.values()
        ),
        tuple(written),
    )
