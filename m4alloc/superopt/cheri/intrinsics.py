"""The names that LLVM's CHERI forks, Morello and CHERI-RISC-V give to the operators of the language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from m4alloc.superopt.cheri.term import OPERATORS, Sort


class Names(NamedTuple):
    """llvm: the intrinsic, `{i}` standing for the integer type; "" where LLVM has an instruction. morello, riscv: the
    mnemonic; "" where it takes another one, or several."""

    llvm: str
    morello: str
    riscv: str


_CAP = "llvm.cheri.cap"
NAMES: Mapping[str, Names] = MappingProxyType(
    {
        "set": Names(f"{_CAP}.bounds.set.{{i}}", "scbnds", "csetbounds"),
        "setexact": Names(f"{_CAP}.bounds.set.exact.{{i}}", "scbndse", "csetboundsexact"),
        "and": Names(f"{_CAP}.perms.and.{{i}}", "", "candperm"),
        "addrset": Names(f"{_CAP}.address.set.{{i}}", "scvalue", "csetaddr"),
        "inc": Names("", "add", "cincoffset"),
        "offsetset": Names(f"{_CAP}.offset.set.{{i}}", "scoff", "csetoffset"),
        "cleartag": Names(f"{_CAP}.tag.clear", "clrtag", "ccleartag"),
        "seal": Names(f"{_CAP}.seal", "seal", "cseal"),
        "unseal": Names(f"{_CAP}.unseal", "unseal", "cunseal"),
        "sentry": Names(f"{_CAP}.seal.entry", "", "csealentry"),
        "build": Names(f"{_CAP}.build", "", "cbuildcap"),
        "null": Names("", "", ""),
        "addr": Names(f"{_CAP}.address.get.{{i}}", "gcvalue", "cgetaddr"),
        "base": Names(f"{_CAP}.base.get.{{i}}", "gcbase", "cgetbase"),
        "length": Names(f"{_CAP}.length.get.{{i}}", "gclen", "cgetlen"),
        "top": Names(f"{_CAP}.top.get.{{i}}", "gclim", "cgettop"),
        "offset": Names(f"{_CAP}.offset.get.{{i}}", "gcoff", "cgetoffset"),
        "perms": Names(f"{_CAP}.perms.get.{{i}}", "gcperm", "cgetperm"),
        "type": Names(f"{_CAP}.type.get.{{i}}", "gctype", "cgettype"),
        "upper": Names(f"{_CAP}.high.get.{{i}}", "cfhi", "cgethigh"),
        "tag": Names(f"{_CAP}.tag.get", "gctag", "cgettag"),
        "sealed": Names(f"{_CAP}.sealed.get", "gcseal", "cgetsealed"),
        "subset": Names(f"{_CAP}.subset.test", "", "ctestsubset"),
        "identical": Names(f"{_CAP}.equal.exact", "", "cseqx"),
        "rounded": Names("llvm.cheri.round.representable.length.{i}", "rrlen", "crrl"),
        "mask": Names("llvm.cheri.representable.alignment.mask.{i}", "rrmask", "cram"),
    }
)

CAPABILITY = "ptr addrspace(200)"


def intrinsic(operator: str, bits: int) -> str:
    """The intrinsic's full name; "" where LLVM has an instruction.

    >>> intrinsic("set", 64), intrinsic("tag", 64), intrinsic("inc", 64)
    ('llvm.cheri.cap.bounds.set.i64', 'llvm.cheri.cap.tag.get', '')
    """
    return NAMES[operator].llvm.replace("{i}", f"i{bits}")


def by_intrinsic(bits: int) -> Mapping[str, str]:
    """Full names of intrinsics to operators; the old name of an increment is among them."""
    found = {intrinsic(operator, bits): operator for operator in NAMES if NAMES[operator].llvm}
    return {**found, f"{_CAP}.offset.increment.i{bits}": "inc"}


def llvm_type(sort: Sort, bits: int) -> str:
    """The type of LLVM that values of a sort have."""
    return {Sort.CAP: CAPABILITY, Sort.INT: f"i{bits}", Sort.BOOL: "i1"}.get(sort, "void")


def declaration(name: str, bits: int) -> str:
    """The `declare` line of an intrinsic, which stock LLVM does not know.

    It has no attributes: with `memory(none)` LLVM would remove and merge calls by rules of its own.
    """
    operator = by_intrinsic(bits)[name]
    wanted, result = OPERATORS[operator]
    operands = ", ".join(llvm_type(sort, bits) for sort in wanted)
    return f"declare {llvm_type(result, bits)} @{name}({operands})"
