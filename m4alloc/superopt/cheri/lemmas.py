"""What holds of every set of bounds and of every move, proved once over the full encoding, and then used by proofs."""

from __future__ import annotations

from collections.abc import Mapping

from m4alloc.superopt.cheri.rules import Rule

_INSIDE = "within(c, addr(c), 0) and within(c, addr(c) + i, 0)"
_THERE = "same_sign(addr(c), addr(c) + i) and canonical(addr(c) + i)"
_HERE = {"Morello": "canonical(addr(c))"}
_PLAIN = {"Morello": f"{_THERE} and canonical(addr(c)) or not depends(c)"}

LEMMAS: tuple[Rule, ...] = (
    Rule(
        "contains",
        "within(set(c, n), addr(c), n)",
        "true",
        "settable(c, n)",
        on=_HERE,
        reason="bounds round outward, so that they hold what was asked for",
    ),
    Rule(
        "derivable",
        "derivable(set(c, n))",
        "true",
        "settable(c, n)",
        reason="set bounds make no encoding that wraps or leaves the address space",
    ),
    Rule(
        "monotonic",
        "subset(set(c, n), c)",
        "true",
        "settable(c, n)",
        reason="bounds round outward, but not beyond the parent's",
    ),
    Rule(
        "inside",
        "tag(inc(c, i))",
        "true",
        f"tag(c) and not sealed(c) and {_INSIDE}",
        on=_PLAIN,
        reason="the check passes while the address stays in bounds, one past the end included",
    ),
    Rule(
        "inside, set",
        "tag(addrset(c, addr(c) + i))",
        "true",
        "tag(c) and not sealed(c) and within(c, addr(c) + i, 0)",
        on={"Morello": f"{_THERE} or not depends(c)"},
        reason="the precise check passes for an address in bounds, wherever the old one was",
    ),
    Rule(
        "unchanged",
        "if(tag(inc(c, i)), base(inc(c, i)) == base(c) and top(inc(c, i)) == top(c), true)",
        "true",
        "tag(c) and not sealed(c)",
        reason="a move that passes the check leaves the bounds as they were",
    ),
)

PROVED = frozenset({"128", "128m", "128r"})
"""Formats that all of them have been proved for; elsewhere no proof may rest on them. A campaign proves them anew."""

WAYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "contains": (("n",),),
    "derivable": (("n",),),
    "monotonic": (("c", "n"),),
    "inside": (("c",),),
    "inside, set": (("c",),),
    "unchanged": (("c",),),
}
"""How each question is split; found by trying."""
