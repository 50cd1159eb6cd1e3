"""m4alloc.superopt.parse: LLVM's text becomes functions of the subset, and what cannot is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.superopt import parse, printer
from m4alloc.superopt.ir import Argument, Int, Local, Module, OpaqueType, Pointer, Struct
from m4alloc.superopt.parse import IrError

VECTORS = Path(__file__).parents[2] / "vectors" / "superopt"

MODULE = r"""
target triple = "x86_64-unknown-linux-gnu"
%pair = type { i32, ptr }
%packed = type <{ i8, %pair }>
@g = internal global i32 5, section "foo", align 4
@al = alias i32, ptr @g
declare i32 @personality(...)
declare void @variadic(i32, ...)
declare fastcc i32 @callee(ptr byval(%pair), i32 noundef) #0
define internal fastcc noundef i32 @"my fun"(ptr byval(%pair) align 8 %"a b", i32 signext %x, i64 %0) #0 align 32 {
  %2 = call fastcc i32 @callee(ptr byval(%pair) %"a b", i32 noundef %x) #1, !dbg !9
  call void (i32, ...) @variadic(i32 %2, ptr @g, i64 ptrtoint (ptr @g to i64))
  %3 = call i32 asm sideeffect "mov {0}, $0", "=r,r,~{dirflag}"(i32 %2)
  %4 = fadd fast float 1.0, 2.0
  %5 = select nnan i1 true, float %4, float 0x7FF0000000000000
  %6 = getelementptr inbounds nuw %packed, ptr %"a b", i64 0, i32 1, i32 0
  %7 = getelementptr [4 x %pair], ptr %6, <2 x i64> <i64 1, i64 2>
  %8 = load atomic i32, ptr %6 seq_cst, align 4
  %9 = cmpxchg ptr %6, i32 %8, i32 %2 acq_rel monotonic
  %10 = extractvalue { i32, i1 } %9, 0
  %11 = load %pair, ptr %6
  %12 = extractvalue %pair %11, 1
  %13 = add i256 1, 2
  %14 = trunc i256 %13 to i32
  %15 = fcmp olt float %4, 0.0
  %16 = icmp eq ptr %12, getelementptr (i8, ptr @g, i64 1)
  br label %L
L:
  %17 = phi float [ %5, %1 ], [ %17, %L ]
  br i1 %15, label %L, label %end
end:
  ret i32 %2
}
define void @throws() personality ptr @personality {
  invoke void @may_throw() to label %a unwind label %b
a:
  ret void
b:
  %x = landingpad { ptr, i32 } cleanup
  resume { ptr, i32 } %x
}
declare void @may_throw()
define void @takes_any(i32, ...) { ret void }
attributes #0 = { nounwind alignstack=16 "a"="b" }
attributes #1 = { cold }
!llvm.module.flags = !{!8}
!8 = !{i32 2, !"Debug Info Version", i32 3}
!9 = !DILocation(line: 1, scope: !10)
!10 = distinct !DISubprogram(name: "f", unit: !11, spFlags: DISPFlagDefinition)
!11 = distinct !DICompileUnit(language: DW_LANG_C, file: !12, emissionKind: FullDebug)
!12 = !DIFile(filename: "a.c", directory: "")
"""


@pytest.fixture(scope="module")
def module() -> Module:
    return parse.parse_module(MODULE)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.ll")), ids=lambda path: path.stem)
def test_every_public_case_is_read_whole_and_printed_back(path: Path) -> None:
    function = parse.parse_function(path.read_text(), where=path.name)
    assert not function.is_opaque
    assert parse.parse_function(printer.checked(function)) == function


def test_a_printed_module_is_the_same_module(module: Module) -> None:
    again = parse.parse_module(printer.print_module(module))
    assert again.functions == module.functions
    assert (again.triple, again.skipped) == (module.triple, module.skipped)
    assert [line for line in module.globals if not line.startswith("%")] == list(again.globals)


def test_named_types_are_written_out(module: Module) -> None:
    function = module.function("my fun")
    assert function.arguments[0] == Argument("a b", Pointer(), ("byval({ i32, ptr })", "align 8"))
    elements = [each.element for each in function if each.opcode == "getelementptr"]
    assert elements == [OpaqueType("<{ i8, { i32, ptr } }>"), OpaqueType("[4 x { i32, ptr }]")]
    assert Struct((Int(32), Pointer())) in [each.type for each in function if each.opcode == "load"]


def test_attribute_groups_are_written_out(module: Module) -> None:
    function = module.function("my fun")
    assert function.attributes == ("nounwind", "alignstack(16)", '"a"="b"', "align 32")
    assert function.return_attributes == ("noundef",)
    assert function.linkage == ("internal", "fastcc")


def test_what_is_outside_the_subset_is_kept_with_its_operands(module: Module) -> None:
    function = module.function("my fun")
    opaque = {each.text.split("(")[0].split(" ")[0]: each for each in function if each.opcode == "opaque"}
    assert set(opaque) == {"call", "fadd", "select", "load", "cmpxchg", "add", "trunc", "fcmp"}
    exchange = opaque["cmpxchg"]
    assert exchange.text == "cmpxchg ptr {0}, i32 {1}, i32 {2} acq_rel monotonic, align 4"
    assert exchange.operands == (Local("6", Pointer()), Local("8", Int(32)), Local("2", Int(32)))
    assert exchange.type == Struct((Int(32), Int(1)))


def test_braces_in_inline_assembly_are_no_placeholders(module: Module) -> None:
    text = printer.print_module(module)
    assert parse.parse_module(text).functions == module.functions
    assert any("mov" in each.text and len(each.operands) == 1 for each in module.function("my fun"))


def test_functions_that_cannot_be_held_stay_text(module: Module) -> None:
    assert dict(module.skipped) == {"throws": "invoke: exception handling", "takes_any": "variable arguments"}
    with pytest.raises(IrError, match=r"throws.*exception handling"):
        parse.parse_function(MODULE, "throws")


def test_debug_locations_are_dropped(module: Module) -> None:
    assert all(kind != "dbg" for each in module.function("my fun") for kind, _ in each.metadata)


def test_only_the_functions_asked_for_are_read() -> None:
    two = "define void @f() { ret void }\ndefine void @g() { ret void }"
    module = parse.parse_module(two, only={"g"})
    assert [each.name for each in module.functions] == ["g"]
    assert module.skipped == {"f": "it was not asked for"}
    assert len(parse.parse_module(printer.print_module(module)).functions) == 2


def test_the_first_block_has_the_number_that_llvm_gives_it() -> None:
    function = parse.parse_function(
        "define i8 @f(i8, i1) { br i1 %1, label %3, label %4\n 3: br label %4\n 4:\n"
        " %5 = phi i8 [ 1, %2 ], [ %0, %3 ] ret i8 %5 }"
    )
    assert [block.name for block in function.blocks] == ["2", "3", "4"]
    assert function.blocks[2].instructions[0].labels == ("2", "3")


def test_a_name_of_digits_is_told_from_a_number() -> None:
    text = 'define i8 @f(i8 %"1", i8 %0) { %2 = add i8 %"1", %0 ret i8 %2 }'
    function = parse.parse_function(text)
    assert [argument.name for argument in function.arguments] == ["1.named", "0"]
    assert parse.parse_function(printer.checked(function)) == function


def test_intrinsics_need_no_declaration() -> None:
    function = parse.parse_function("define i8 @f(i8 %x) { %y = call i8 @llvm.umin.i8(i8 %x, i8 3) ret i8 %y }")
    assert function.blocks[0].instructions[0].callee == "llvm.umin.i8"


def test_metadata_is_resolved_to_its_text() -> None:
    function = parse.parse_function(
        "define i8 @f(ptr %p) { %x = load i8, ptr %p, !range !0, !noundef !1, !tbaa !2, !noalias !5 ret i8 %x }\n"
        '!0 = !{i8 0, i8 2}\n!1 = !{}\n!2 = !{!3, !3, i64 0}\n!3 = !{!"char", !4}\n!4 = !{!"root"}\n'
        "!5 = !{!6}\n!6 = distinct !{!6, !7}\n!7 = distinct !{!7}\n"
    )
    found = dict(function.blocks[0].instructions[0].metadata)
    assert found["range"] == "!{i8 0, i8 2}"
    assert found["tbaa"] == '!{!{!"char", !{!"root"}}, !{!"char", !{!"root"}}, i64 0}'
    assert found["noalias"][1:].isdigit(), "a distinct node cannot be written in place"
    printer.checked(function)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("define i8 @f() { %x = foo i8 1 ret i8 %x }", r"file.ll:1:\d+.*expected instruction opcode.*LLVM \d+"),
        ('target datalayout = "e-pf200:128:128:128:64"', "pf200.*CHERI fork"),
        ("define i8 @f() { ret i16 0 }", "doesn't match function result type"),
        ("define i8 @f(i8 %x) { ret i8 %y }", "undefined value '%y'"),
        ("define i8 @f() { %x = add i8 %y, 1 %y = add i8 %x, 1 ret i8 %y }", "does not dominate"),
        ("define void @f(i8 brandnew %x) { ret void }", "another version of LLVM"),
        ("define i1 @f() { ret i1 icmp eq (ptr null, ptr null) }", "no longer supported.*give its bitcode"),
    ],
)
def test_llvm_says_what_is_wrong_with_a_text(text: str, message: str) -> None:
    with pytest.raises(IrError, match=f"(?s){message}"):
        parse.parse_module(text, where="file.ll")


def test_the_function_to_read_must_be_named_where_there_are_several() -> None:
    two = "define void @first() { ret void }\ndefine void @second() { ret void }"
    with pytest.raises(IrError, match=r"2 functions, so one must be named: first, second"):
        parse.parse_function(two)
    with pytest.raises(IrError, match=r"no function 'frist'; it defines first"):
        parse.parse_function(two, "frist")
    with pytest.raises(IrError, match="defines no function"):
        parse.parse_function("@g = global i8 0")
