"""The tempting rules that are wrong, U1 to U26: a checker that accepts one of them in the mode it names is broken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from m4alloc.superopt.cheri.rules import Rule


class Blame(Enum):
    """In which circumstances a rule is wrong."""

    BOTH = "whether a refusal traps or clears the tag"
    TRAPPING = "where a refused manipulation traps; sound where it clears the tag"
    CLEARING = "where a refused manipulation clears the tag"
    REVOCATION = "where a sweep comes between two loads; sound without"


@dataclass(frozen=True)
class Killed:
    """A rule, when it is wrong, and what it does then, as the table says it; `without`: the circumstance taken away."""

    rule: Rule
    blame: Blame = Blame.BOTH
    effect: str = ""
    without: Rule | None = None

    @property
    def name(self) -> str:
        """Of the rule."""
        return self.rule.name


def _wrong(
    name: str, pattern: str, replacement: str, condition: str = "true", *, blame: Blame = Blame.BOTH, effect: str = ""
) -> Killed:
    return Killed(Rule(name, pattern, replacement, condition), blame, effect)


_LIVE = "tag(c) and not sealed(c)"

UNSOUND: tuple[Killed, ...] = (
    _wrong("U1", "set(set(c, m), n)", "set(c, n)", "n <= m", effect="gains a tag"),
    _wrong("U2", "set(set(c, m), n)", "set(c, if(m < n, m, n))", effect="gains a tag"),
    _wrong("U3", "length(set(c, n))", "n", "settable(c, n)", effect="wrong size checks"),
    _wrong("U4", "base(set(c, n))", "addr(c)", "settable(c, n)", effect="a header found by base is elsewhere"),
    _wrong("U5", "addrset(addrset(c, a), b)", "addrset(c, b)", _LIVE, effect="gains a tag"),
    _wrong("U6", "inc(inc(c, i), j)", "inc(c, i + j)", _LIVE, effect="gains a tag"),
    _wrong("U7", "inc(c, i)", "addrset(c, addr(c) + i)", _LIVE, effect="gains a tag"),
    _wrong("U8 base", "base(inc(c, i))", "base(c)", _LIVE, effect="wrong bounds in metadata"),
    _wrong("U8 length", "length(inc(c, i))", "length(c)", _LIVE, effect="wrong bounds in metadata"),
    _wrong("U9", "tag(inc(c, i))", "tag(c)", _LIVE, effect="a lost tag is not seen"),
    _wrong("U10 inc", "inc(c, 0)", "c", "within(c, addr(c), 0)", effect="keeps a live sealed capability"),
    _wrong("U10 and", "and(c, -1)", "c", effect="keeps a live sealed capability"),
    _wrong("U10 addrset", "addrset(c, addr(c))", "c", effect="keeps a live sealed capability"),
    _wrong("U11", "setexact(c, n)", "set(c, n)", "settable(c, n)", effect="gains a tag and bytes of a neighbour"),
    _wrong("U12", "set(c, n)", "setexact(c, n)", "settable(c, n)", effect="loses a tag for large sizes"),
    _wrong(
        "U13",
        "set(c, n)",
        "set(c, rounded(n))",
        f"{_LIVE} and n <= rounded(n) and within(c, addr(c), rounded(n))",
        effect="widens",
    ),
    _wrong("U14", "set(inc(c, i), n)", "inc(set(c, n), i)", _LIVE, effect="bounds at the wrong address"),
    _wrong("U15", "set(c, n)", "c", "length(c) == n", effect="gains a tag"),
    _wrong("U16", "if(addr(c) == addr(d), c, d)", "d", effect="substitutes authority"),
    _wrong(
        "U17",
        "load(inc(set(c, n), i), 8)",
        "load(inc(c, i), 8)",
        f"{_LIVE} and within(c, addr(c) + i, 8) and within(c, addr(c), n)",
        effect="removes the check",
    ),
    _wrong("U18 integer", "null(addr(c))", "c", effect="forges a capability"),
    _wrong("U18 i128", "frombits(upper(c), addr(c))", "c", effect="forges a capability"),
    _wrong(
        "U18 bytes",
        "do(store(d, load(c, 8), 8), store(inc(d, 8), load(inc(c, 8), 8), 8), loadcap(d))",
        "do(storecap(d, loadcap(c)), loadcap(d))",
        effect="forges a capability",
    ),
    _wrong(
        "U19",
        "unseal(seal(c, k), k)",
        "c",
        f"{_LIVE} and tag(k) and not sealed(k) and within(k, addr(k), 1) and points_to_otype(k)"
        " and can_seal(k) and can_unseal(k)",
        effect="gains a permission",
    ),
    _wrong("U20", "sentry(sentry(c))", "sentry(c)", effect="gains a tag"),
    _wrong("U21", "and(seal(c, k), p)", "seal(and(c, p), k)", effect="gains a tag"),
    _wrong("U22 set", "do(set(c, n), addr(c))", "addr(c)", blame=Blame.TRAPPING, effect="removes the check"),
    _wrong("U22 and", "do(and(c, p), addr(c))", "addr(c)", blame=Blame.TRAPPING, effect="removes the check"),
    _wrong("U22 inc", "do(inc(c, i), addr(c))", "addr(c)", blame=Blame.TRAPPING, effect="removes the check"),
    _wrong(
        "U23",
        "storecap(d, loadcap(c))",
        "do(store(d, load(c, 8), 8), store(inc(d, 8), load(inc(c, 8), 8), 8))",
        effect="tags are lost",
    ),
    _wrong(
        "U24",
        "select(t, and(c, p), and(d, p))",
        "and(if(t, c, d), p)",
        "(tag(c) or tag(d)) and not (tag(c) and tag(d))",
        blame=Blame.TRAPPING,
        effect="removes the check of the other arm",
    ),
    _wrong(
        "U25",
        "if(t, set(c, n), d)",
        "let(x, set(c, n), if(t, x, d))",
        blame=Blame.TRAPPING,
        effect="traps where nothing was wrong",
    ),
    Killed(
        Rule(
            "U26",
            "let(x, loadcap(s), do(revoke(r), tuple(loadcap(s), tag(x))))",
            "let(x, loadcap(s), do(revoke(r), tuple(x, tag(x))))",
        ),
        Blame.REVOCATION,
        "keeps a revoked capability",
        Rule("U26 without", "let(x, loadcap(s), tuple(loadcap(s), tag(x)))", "let(x, loadcap(s), tuple(x, tag(x)))"),
    ),
)
