"""The sound rules over capabilities, S1 to S25, as data: pattern, replacement, condition, and the modes it holds in.

A condition must be established, by analysis or by what the allocator's specification says; else no rewrite. `within(c,
a, 0)` lets an address be one past the end, which is weaker than in bounds, and enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.model import supported, traps
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.term import Sort, Term, conjunction, variables


@dataclass(frozen=True)
class Rule:
    """`pattern -> replacement` where `condition` holds.

    trapping: what must hold besides where a refused manipulation traps; None where no condition makes it right there.
    on: what must hold besides on an instruction set, by its name; None where the rule is wrong on it.
    table: the condition as published, where this one says more, or less.
    """

    name: str
    pattern: str
    replacement: str
    condition: str = "true"
    trapping: str | None = "true"
    on: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    reason: str = ""
    table: str | None = None

    @property
    def row(self) -> str:
        """The row of the table that it comes from: "S12" for "S12 base"."""
        return self.name.split()[0]

    @property
    def source(self) -> Term:
        """The pattern as a term."""
        return parsed(self.pattern, _SORTS)

    @property
    def target(self) -> Term:
        """The replacement as a term."""
        return parsed(self.replacement, _SORTS)

    @property
    def variables(self) -> dict[str, Sort]:
        """Those of pattern and condition."""
        return {**variables(self.source), **variables(parsed(self.condition, _SORTS))}

    def published_on(self, isa: Isa) -> Term:
        """The condition as published, which speaks of modes and not of instruction sets."""
        own = self.trapping if traps(isa) and self.trapping is not None else "true"
        return conjunction(parsed(self.condition if self.table is None else self.table, _SORTS), parsed(own, _SORTS))

    def condition_on(self, isa: Isa) -> Term | None:
        """All that must hold on this instruction set; None where the rule is not to be used there."""
        parts = [self.condition, self.on.get(isa.name, "true"), self.trapping if traps(isa) else "true"]
        if any(part is None for part in parts) or supported(self.source, isa) or supported(self.target, isa):
            return None
        return conjunction(*(parsed(part, _SORTS) for part in parts if part is not None))


_SORTS: Mapping[str, Sort] = MappingProxyType(
    {
        **dict.fromkeys(("c", "d", "k", "s", "r"), Sort.CAP),
        **dict.fromkeys(("a", "b", "i", "j", "m", "n", "p", "q", "v"), Sort.INT),
        "t": Sort.BOOL,
    }
)
"""Capabilities c, d, k (a sealing authority), s (a slot), r (a revoked block); integers; a test t."""

_LIVE = "tag(c) and not sealed(c)"
_HERE = "within(c, addr(c), 0)"
_AUTHORITY = "tag(k) and not sealed(k) and within(k, addr(k), 1) and can_seal(k) and can_unseal(k)"
_ALIGNED = "addr(c) & mask(n) == addr(c) and rounded(n) == n"
_SAME = "same_sign(addr(c), addr(c) + i)"
_PLAIN = "canonical(addr(c))"
_PLAIN_THERE = "canonical(addr(c) + i)"


def _moved_getter(getter: str) -> Rule:
    return Rule(
        f"S12 {getter}",
        f"{getter}(inc(c, i))",
        f"{getter}(c)",
        "not sealed(c) and within(c, addr(c) + i, 0)",
        on={"Morello": f"{_SAME} and {_PLAIN_THERE}"} if getter == "base" else {},
        reason="bounds, permissions and type do not move with the address while it is in bounds",
    )


SOUND: tuple[Rule, ...] = (
    Rule(
        "S1",
        "set(set(c, n), n)",
        "set(c, n)",
        on={"Morello": _PLAIN},
        reason="the first result contains what the second asks for",
    ),
    Rule(
        "S2",
        "set(set(c, m), n)",
        "set(c, n)",
        "within(c, addr(c), m) and n <= m",
        on={"Morello": _PLAIN},
        reason="the fit of the outer request is the whole condition",
    ),
    Rule(
        "S3",
        "and(and(c, p), q)",
        "and(c, p & q)",
        on={"RISC-V draft, 64r": None},
        reason="permissions are only ever removed; a format that keeps a table of sets may round twice",
    ),
    Rule("S4 in", "and(set(c, n), p)", "set(and(c, p), n)", reason="bounds and permissions are independent"),
    Rule("S4 out", "set(and(c, p), n)", "and(set(c, n), p)", reason="bounds and permissions are independent"),
    Rule(
        "S5",
        "addrset(addrset(c, a), b)",
        "addrset(c, b)",
        "not sealed(c) and within(c, a, 0)",
        on={"Morello": "same_sign(addr(c), a) and canonical(a)"},
        reason="an address in bounds keeps the bounds, so that the second move starts from the same ones",
    ),
    Rule("S6", "addrset(c, addr(c))", "c", "not sealed(c)", reason="nothing moves"),
    Rule(
        "S7",
        "inc(c, 0)",
        "c",
        f"not sealed(c) and {_HERE}",
        on={"Morello": _PLAIN},
        reason="the fast check passes in bounds",
    ),
    Rule(
        "S8",
        "inc(inc(c, i), j)",
        "inc(c, i + j)",
        f"not sealed(c) and {_HERE} and within(c, addr(c) + i, 0) and within(c, addr(c) + i + j, 0)",
        on={"Morello": f"{_SAME} and {_PLAIN} and {_PLAIN_THERE} and canonical(addr(c) + i + j)"},
        reason="moves in bounds keep bounds and pass the fast check",
    ),
    Rule(
        "S9",
        "inc(c, i)",
        "addrset(c, addr(c) + i)",
        f"not sealed(c) and {_HERE} and within(c, addr(c) + i, 0)",
        on={"Morello": f"{_PLAIN} and {_PLAIN_THERE}"},
        reason="in bounds the fast check and the precise one agree",
    ),
    Rule(
        "S10",
        "addr(inc(c, i))",
        "addr(c) + i",
        trapping="not (tag(c) and sealed(c))",
        reason="the address moves even when the tag is lost",
    ),
    Rule(
        "S10 set",
        "addr(addrset(c, a))",
        "a",
        trapping="not (tag(c) and sealed(c))",
        reason="the address is set even when the tag is lost",
    ),
    Rule("S11", "addr(set(c, n))", "addr(c)", trapping="settable(c, n)", reason="bounds do not move the address"),
    *(_moved_getter(getter) for getter in ("base", "length", "perms", "type")),
    Rule(
        "S13",
        "tag(set(c, n))",
        "true",
        f"{_LIVE} and within(c, addr(c), n)",
        on={"Morello": _PLAIN},
        reason="a legal request keeps the tag",
    ),
    Rule("S14 tag", "tag(cleartag(c))", "false", reason="it was cleared"),
    Rule("S14 twice", "cleartag(cleartag(c))", "cleartag(c)", reason="it was cleared"),
    Rule(
        "S15",
        "perms(and(c, p))",
        "perms(c) & p",
        trapping=_LIVE,
        on=dict.fromkeys(("RISC-V draft, 128r", "RISC-V draft, 64r", "CHERIoT")),
        reason="one bit a permission; formats that keep sets of them may clear more",
    ),
    Rule(
        "S15 subset",
        "perms(and(c, p)) | perms(c) & p == perms(c) & p",
        "true",
        trapping=_LIVE,
        on={"RISC-V draft, 64r": None},
        reason="whatever the format, nothing is left that was not there or was not to be kept",
    ),
    Rule("S16", "setexact(c, n)", "set(c, n)", _ALIGNED, reason="nothing is rounded"),
    Rule(
        "S17",
        "set(c, n)",
        "set(c, rounded(n))",
        "addr(c) & mask(n) == addr(c) and n <= rounded(n) and within(c, addr(c), rounded(n))",
        on={"Morello": None},
        table="addr(c) & mask(n) == addr(c) and within(c, addr(c), rounded(n))",
        reason="rounding the length first is what the hardware does at an aligned base; Morello may round it further",
    ),
    Rule(
        "S18",
        "rounded(rounded(n))",
        "rounded(n)",
        on={"Morello": None},
        table="n < 0x8000000000000000",
        reason="a rounded length needs no rounding; Morello rounds for a block at the end of memory, and may again",
    ),
    Rule(
        "S18 mask",
        "rounded(n) & mask(n)",
        "rounded(n)",
        reason="a rounded length is a multiple of the alignment",
    ),
    Rule(
        "S19 load",
        "load(inc(set(c, n), i), 8)",
        "load(inc(c, i), 8)",
        "settable(c, n) and 8 <= n and i <= n - 8",
        on={"Morello": f"{_PLAIN} and {_SAME} and {_PLAIN_THERE}"},
        reason="bounds that are set only for accesses that are known to be inside them",
    ),
    Rule(
        "S19 store",
        "store(inc(set(c, n), i), v, 8)",
        "store(inc(c, i), v, 8)",
        "settable(c, n) and 8 <= n and i <= n - 8",
        on={"Morello": f"{_PLAIN} and {_SAME} and {_PLAIN_THERE}"},
        reason="bounds that are set only for accesses that are known to be inside them",
    ),
    Rule(
        "S20",
        "unseal(seal(c, k), k)",
        "c",
        f"{_LIVE} and {_AUTHORITY} and points_to_otype(k) and is_global(k)",
        on={"CHERIoT": "not can_execute(c)"},
        table=f"{_LIVE} and {_AUTHORITY} and is_global(k)",
        reason="the authority can do both, and leaves the result global",
    ),
    Rule(
        "S21",
        "tag(sentry(c))",
        "true",
        _LIVE,
        on={"ISAv8": "can_execute(c)"},
        reason="anything unsealed may become one; in ISAv8 it must be code",
    ),
    Rule(
        "S22",
        "cleartag(and(c, p))",
        "and(cleartag(c), p)",
        trapping=None,
        table=_LIVE,
        reason="permissions and tag are independent; where manipulation traps, the second traps always",
    ),
    Rule(
        "S23",
        "subset(set(c, n), c)",
        "true",
        "settable(c, n)",
        table=f"settable(c, n) and {_ALIGNED}",
        reason="bounds round outward, and never beyond the parent's, which are multiples of a larger unit",
    ),
    Rule("S24 set", "tuple(set(c, n), set(c, n))", "let(x, set(c, n), tuple(x, x))", reason="the same registers"),
    Rule("S24 and", "tuple(and(c, p), and(c, p))", "let(x, and(c, p), tuple(x, x))", reason="the same registers"),
    Rule("S24 base", "tuple(base(c), base(c))", "let(x, base(c), tuple(x, x))", reason="the same register"),
    Rule(
        "S25",
        "tuple(if(0 < m, set(c, n), d), if(1 < m, set(c, n), d))",
        "let(x, set(c, n), tuple(if(0 < m, x, d), if(1 < m, x, d)))",
        trapping="0 < m",
        reason="m turns of a loop, two of them written out: what the first turn does, the later ones do again",
    ),
)
