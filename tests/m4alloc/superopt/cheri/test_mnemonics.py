"""m4alloc.superopt.cheri.mnemonics: Morello's names and CHERI-RISC-V's are not mixed up."""

from __future__ import annotations

import pytest

from m4alloc.superopt.cheri.mnemonics import count, to_morello, to_riscv
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.program import Parameter, Program, flattened
from m4alloc.superopt.cheri.reader import read_text
from m4alloc.superopt.cheri.term import Sort, TermError, variables

SORTS = {**dict.fromkeys(("c", "d", "k"), Sort.CAP), **dict.fromkeys(("n", "m"), Sort.INT), "t": Sort.BOOL}


def program(text: str) -> Program:
    term = parsed(text, SORTS)
    steps, result = flattened(term)
    parameters = tuple(Parameter(name, sort) for name, sort in variables(term).items())
    return Program("f", parameters, tuple(steps), result)


def body(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()[1:]]


@pytest.mark.parametrize(
    ("text", "morello", "riscv"),
    [
        ("set(c, n)", ["scbnds c0, c0, x1"], ["csetbounds ca0, ca0, a1"]),
        ("set(c, 64)", ["mov x1, #64", "scbnds c0, c0, x1"], ["li a1, 64", "csetbounds ca0, ca0, a1"]),
        ("setexact(c, n)", ["scbndse c0, c0, x1"], ["csetboundsexact ca0, ca0, a1"]),
        ("and(c, n)", ["mvn x2, x1", "clrperm c0, c0, x2"], ["candperm ca0, ca0, a1"]),
        ("and(c, 7)", ["mov x1, #0x3fff8", "clrperm c0, c0, x1"], ["li a1, 7", "candperm ca0, ca0, a1"]),
        ("addrset(c, n)", ["scvalue c0, c0, x1"], ["csetaddr ca0, ca0, a1"]),
        ("inc(c, n)", ["add c0, c0, x1, uxtx"], ["cincoffset ca0, ca0, a1"]),
        ("inc(c, 16)", ["add c0, c0, #16"], ["cincoffsetimm ca0, ca0, 16"]),
        ("inc(c, 3000)", ["add c0, c0, #3000"], ["li a1, 3000", "cincoffset ca0, ca0, a1"]),
        ("cleartag(c)", ["clrtag c0, c0"], ["ccleartag ca0, ca0"]),
        ("seal(c, k)", ["seal c0, c0, c1"], ["cseal ca0, ca0, ca1"]),
        ("unseal(c, k)", ["unseal c0, c0, c1"], ["cunseal ca0, ca0, ca1"]),
        ("sentry(c)", ["seal c0, c0, rb"], ["csealentry ca0, ca0"]),
        ("build(c, d)", ["build c0, c1, c0"], ["cbuildcap ca0, ca0, ca1"]),
        ("addr(c)", ["gcvalue x0, c0"], ["cgetaddr a0, ca0"]),
        ("base(c)", ["gcbase x0, c0"], ["cgetbase a0, ca0"]),
        ("length(c)", ["gclen x0, c0"], ["cgetlen a0, ca0"]),
        ("perms(c)", ["gcperm x0, c0"], ["cgetperm a0, ca0"]),
        ("type(c)", ["gctype x0, c0"], ["cgettype a0, ca0"]),
        ("tag(c)", ["gctag x0, c0"], ["cgettag a0, ca0"]),
        ("subset(c, d)", ["chkss c0, c1", "cset x0, mi"], ["ctestsubset a0, ca0, ca1"]),
        ("rounded(n)", ["rrlen x0, x0"], ["crrl a0, a0"]),
        ("mask(n)", ["rrmask x0, x0"], ["cram a0, a0"]),
        ("null(n)", ["mov x0, x0"], ["cincoffset ca0, cnull, a0"]),
        ("loadcap(c)", ["ldr c0, [c0]"], ["clc ca0, 0(ca0)"]),
        ("load(c, 8)", ["ldr x0, [c0]"], ["ld a0, 0(ca0)"]),
        ("n <= m", ["cmp x0, x1", "cset x0, ls"], ["sltu a0, a1, a0", "xori a0, a0, 1"]),
    ],
)
def test_each_operator_has_its_instructions(text: str, morello: list[str], riscv: list[str]) -> None:
    assert body(to_morello(program(text))) == [*morello, "ret"]
    assert body(to_riscv(program(text))) == [*riscv, "ret"]


def test_a_register_is_used_again_after_its_last_use() -> None:
    chain = "set(inc(inc(inc(c, n), n), n), n)"
    assert body(to_morello(program(chain)))[-2:] == ["scbnds c0, c0, x1", "ret"]


def test_the_result_is_moved_where_results_are_returned() -> None:
    assert body(to_morello(program("inc(d, addr(c))"))) == ["gcvalue x1, c1", "add c0, c0, x1, uxtx", "ret"]
    assert "mov c0, c1" in to_morello(program("do(load(c, 8), d)"))


def test_a_branch_goes_on_in_two_ways() -> None:
    cap = "ptr addrspace(200)"
    text = f"""define {cap} @f({cap} noundef %c, i1 noundef %t) {{
        br i1 %t, label %a, label %b
        a: ret {cap} %c
        b: %d = getelementptr i8, {cap} %c, i64 8
        ret {cap} %d }}"""
    assert body(to_morello(read_text(text))) == ["cbz x1, .L1", "ret", ".L1:", "add c0, c0, #8", "ret"]


def test_what_has_no_instruction_is_said() -> None:
    with pytest.raises(TermError, match="CHERI-RISC-V has no instruction for select"):
        to_riscv(program("select(t, c, d)"))
    with pytest.raises(TermError, match="Morello has no instruction for frombits"):
        to_morello(program("frombits(n, m)"))


def test_returns_labels_and_comments_are_not_counted() -> None:
    assert count(to_riscv(program("set(c, 64)"))) == 2
