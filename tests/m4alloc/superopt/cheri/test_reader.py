"""m4alloc.superopt.cheri.reader: LLVM functions to programs, and what is refused."""

from __future__ import annotations

import pytest

from m4alloc.superopt.cheri.notation import unparsed
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.reader import ReadError, read_text
from m4alloc.superopt.parse_tokens import IrError

CAP = "ptr addrspace(200)"


def read(body: str, result: str = CAP, arguments: str = f"{CAP} noundef %c, i64 noundef %n") -> Program:
    return read_text(f"define {result} @f({arguments}) {{\n{body}\n}}")


def test_each_intrinsic_is_an_operator() -> None:
    program = read(
        f"""%a = call {CAP} @llvm.cheri.cap.bounds.set.i64({CAP} %c, i64 %n)
        %b = tail call {CAP} @llvm.cheri.cap.bounds.set.exact.i64({CAP} %a, i64 16)
        %d = call {CAP} @llvm.cheri.cap.perms.and.i64({CAP} %b, i64 -65537)
        %e = call {CAP} @llvm.cheri.cap.tag.clear({CAP} %d)
        %g = call i1 @llvm.cheri.cap.tag.get({CAP} %e)
        %h = call i64 @llvm.cheri.round.representable.length.i64(i64 %n)
        ret {CAP} %e"""
    )
    assert unparsed(program.term) == (
        "let(a, set(c, n), let(b, setexact(a, 16), let(d, and(b, 0xfffffffffffeffff), let(e, cleartag(d), "
        "let(g, tag(e), let(h, rounded(n), e))))))"
    )


def test_loads_stores_and_casts_are_operators() -> None:
    program = read(
        f"""%a = getelementptr inbounds i8, {CAP} %c, i64 8
        %v = load i64, {CAP} %a, align 8
        %p = load {CAP}, {CAP} %c, align 16
        store i64 %v, {CAP} %c, align 8
        store {CAP} %p, {CAP} %c, align 16
        %i = ptrtoint {CAP} %p to i64
        %q = inttoptr i64 %i to {CAP}
        ret {CAP} %q"""
    )
    assert unparsed(program.term) == (
        "let(a, inc(c, 8), let(v, load(a, 8), let(p, loadcap(c), let(_3, store(c, v, 8), let(_4, storecap(c, p), "
        "let(i, addr(p), let(q, null(i), q)))))))"
    )


def test_a_branch_is_a_choice_and_a_phi_is_what_came() -> None:
    program = read(
        f"""entry:
        %t = icmp ult i64 %n, 8
        br i1 %t, label %small, label %end
        small:
        %a = getelementptr i8, {CAP} %c, i64 8
        br label %end
        end:
        %r = phi {CAP} [ %a, %small ], [ %c, %entry ]
        %x = getelementptr i8, {CAP} %r, i64 1
        ret {CAP} %x"""
    )
    assert (
        unparsed(program.term) == "let(t, n < 8, if(t, let(a, inc(c, 8), let(x, inc(a, 1), x)), let(x, inc(c, 1), x)))"
    )


def test_integer_code_that_no_capability_flows_into_is_kept() -> None:
    program = read(
        f"""%o = shl i64 %n, 6
        %a = getelementptr i8, {CAP} %c, i64 %o
        ret {CAP} %a"""
    )
    assert program.before == (("o", "%o = shl i64 %n, 6"),)
    assert unparsed(program.term) == "let(a, inc(c, o), a)"


def test_the_layout_of_a_fork_does_no_harm() -> None:
    text = f'target datalayout = "e-pf200:128:128:128:64-A200"\ndefine {CAP} @f({CAP} %c) {{\n ret {CAP} %c\n}}'
    program = read_text(text)
    assert [one.noundef for one in program.parameters] == [False]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            f"%a = call {CAP} @llvm.cheri.cap.shrink.i64({CAP} %c, i64 8)\nret {CAP} %a",
            "llvm.cheri.cap.shrink.i64 is no op",
        ),
        (f"%a = load volatile i64, {CAP} %c\nret {CAP} %c", "%a = load: volatile"),
        (f"%a = load i32, {CAP} %c\nret {CAP} %c", "what is loaded is of type i32"),
        (f"%a = getelementptr i64, {CAP} %c, i64 1\nret {CAP} %c", "only getelementptr i8 is read"),
        (f"%t = icmp eq {CAP} %c, %c\nret {CAP} %c", "equal pointers may differ in authority"),
        (f"%t = icmp slt i64 %n, 0\nret {CAP} %c", "addresses have no sign"),
        (f"%o = mul i64 %n, %n\n%x = udiv i64 %o, 3\nret {CAP} %c", "%x = udiv"),
        (f"br label %l\nl:\nbr label %l\nm:\nret {CAP} %c", "block l is in a loop"),
        ("unreachable", "only ret and br end a block here"),
    ],
)
def test_what_is_not_read_is_refused_with_its_place(body: str, message: str) -> None:
    with pytest.raises(IrError, match=message):
        read(body)


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(
        ReadError, match=r"argument %x is of type i32; the language has ptr addrspace\(200\), i64 and i1"
    ):
        read(f"ret {CAP} %c", arguments=f"{CAP} %c, i32 %x")


def test_several_functions_need_a_name() -> None:
    text = f"define {CAP} @f({CAP} %c) {{\n ret {CAP} %c\n}}\ndefine {CAP} @g({CAP} %c) {{\n ret {CAP} %c\n}}"
    with pytest.raises(ReadError, match="2 functions and no name; there are f, g"):
        read_text(text)
    with pytest.raises(ReadError, match="no function h; there are f, g"):
        read_text(text, "h")
    assert read_text(text, "g").name == "g"
