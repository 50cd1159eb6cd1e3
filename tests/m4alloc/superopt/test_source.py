"""m4alloc.superopt.source: the function to improve is found in LLVM's text, bitcode, C or Cython."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.superopt import parse, printer, source, toolchain
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import IrError

CODE = """
#include <stdint.h>
static inline uint32_t rounded(uint32_t size) { return (size + 15u) & ~15u; }
uint32_t twice(uint32_t size) { return rounded(size) * 2u; }
"""
MODULE = "define i8 @f(i8 %x) { ret i8 %x }\ndefine i8 @g(i8 %x) { ret i8 0 }"

needs_clang = pytest.mark.skipif(
    all(shutil.which(name) is None for name in source.COMPILERS), reason="no clang on this machine"
)


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_text_and_bitcode_hold_the_same_function(tmp_path: Path) -> None:
    text = file(tmp_path, "a.ll", MODULE)
    binary = tmp_path / "a.bc"
    binary.write_bytes(toolchain.read(MODULE).as_bitcode())
    assert source.read(text, "g").functions == source.read(binary, "g").functions
    assert [each.name for each in source.read(text).functions] == ["f", "g"]


@needs_clang
def test_a_static_function_that_clang_would_inline_is_found(tmp_path: Path) -> None:
    path = file(tmp_path, "a.c", CODE)
    function = source.chosen(path, "rounded")
    assert [each.opcode for each in function] == ["add", "and", "ret"]
    assert [argument.name for argument in function.arguments] == ["size"]
    assert [each.opcode for each in source.chosen(path, "twice")] != []


@needs_clang
def test_a_mistake_in_c_is_shown_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(IrError, match=r"a\.c:1:\d+: error"):
        source.read(file(tmp_path, "a.c", "int f(void) { return x; }"), "f")


@needs_clang
def test_flags_reach_clang(tmp_path: Path) -> None:
    path = file(tmp_path, "a.c", "int f(void) { return NUMBER; }")
    function = source.read(path, "f", flags=["-DNUMBER=7"]).functions[0]
    assert function.blocks[0].terminator.operands[0].value == 7  # type: ignore[union-attr]


@pytest.mark.slow
@needs_clang
def test_cython_is_read_through_c_by_the_name_that_its_source_gives(tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    path = file(tmp_path, "kernel.pyx", "cdef unsigned int low(unsigned int x) noexcept nogil:\n    return x & -x\n"
                "def call(x):\n    return low(x)\n")  # fmt: skip
    function = source.chosen(path, "low")
    assert function.name == "__pyx_f_6kernel_low"
    assert [each.opcode for each in function] == ["sub", "and", "ret"]
    with pytest.raises(IrError, match=r"no function 'lwo'; did you mean kernel\.low"):
        source.chosen(path, "lwo")


@pytest.mark.campaign
@needs_clang
def test_the_projects_own_core_is_an_input() -> None:
    pytest.importorskip("Cython")
    import m4alloc

    function = source.chosen(Path(m4alloc.__file__).parent / "_fast.pyx", "slot_class")
    assert function.name == "__pyx_f_7m4alloc_5_core_10size_class_slot_class"
    assert not function.is_opaque


@pytest.mark.campaign
@pytest.mark.timeout(900)
@needs_clang
def test_every_function_of_the_core_is_printed_back_as_it_was() -> None:
    """All but metadata that only the module can hold; 227 functions with 33,000 instructions at -O2."""
    import m4alloc

    module = source.read(Path(m4alloc.__file__).parent / "_fast.pyx")
    assert not module.skipped
    assert len(module.functions) > 100
    assert parse.parse_module(printer.print_module(module)).functions == module.functions
    for function in module.functions:
        again = parse.parse_function(printer.checked(function), function.name)
        assert again == without_references(function)


def without_references(function: Function) -> Function:
    """The function without metadata that cannot stand alone, and without the marks where its scopes begin."""
    bare = function.mapped(
        lambda each: replace(
            each,
            metadata=tuple((kind, node) for kind, node in each.metadata if not node[1:].isdigit() and "@" not in node),
        )
    )
    blocks = [
        replace(block, instructions=tuple(each for each in block.instructions if "noalias.scope.decl" not in each.text))
        for block in bare.blocks
    ]
    return replace(bare, blocks=tuple(blocks))


def test_no_clang_names_the_line_that_installs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(source, "_has_module", lambda _: False)
    with pytest.raises(IrError, match="apt install clang, or pip install ziglang"):
        source.read(file(tmp_path, "a.c", CODE), "twice")
    monkeypatch.setattr(source, "_has_module", lambda _: True)
    assert source.clang()[1:4] == ("-m", "ziglang", "cc")


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("a.ll", "h", r"no function 'h'; did you mean f, g\?"),
        ("a.rs", None, r"a file of \.ll, \.bc, \.c, \.pyx was expected"),
        ("none.ll", None, "there is no such file"),
    ],
)
def test_bad_input_says_what_would_be_right(tmp_path: Path, name: str, wanted: str | None, message: str) -> None:
    if name != "none.ll":
        file(tmp_path, name, MODULE)
    with pytest.raises(IrError, match=message):
        source.read(tmp_path / name, wanted)


def test_a_file_of_several_functions_wants_a_name(tmp_path: Path) -> None:
    with pytest.raises(IrError, match="2 functions, so one must be named: f, g"):
        source.chosen(file(tmp_path, "a.ll", MODULE))


def test_a_name_that_fits_two_functions_is_refused() -> None:
    names = ["__pyx_f_1a_free", "__pyx_f_1b_free", "m4_free"]
    with pytest.raises(IrError, match=r"may be a\.free, b\.free"):
        source.matched("free", names, "x.c")
    assert source.matched("b.free", names, "x.c") == "__pyx_f_1b_free"
    assert source.matched("m4_free", names, "x.c") == "m4_free"


@pytest.mark.parametrize("name", ["é", 'a"b', "a b", r"\\C3\\A9".replace("\\\\", "\\")])
def test_a_function_is_found_by_its_plain_name_though_llvm_escapes_it(tmp_path: Path, name: str) -> None:
    text = "".join(f'define i8 @"{each}"(i8 %x) {{ ret i8 %x }}\n' for each in (r"\C3\A9", r"a\22b", "a b", "f"))
    found = source.read(file(tmp_path, "a.ll", text), name)
    assert [source.unescaped(one.name) for one in found.functions] == [source.unescaped(name)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("define i32 @f(i32* %p) {", "i32*"),
        ("define void @f(%struct.s* %p)", "%struct.s*"),
        ("define void @f([2 x i8]* %p, i8** %q)", "]*"),
        ('define void @f(%"a b"** %p)', '%"a b"**'),
        ("define void @f(ptr %p) { ; i32* once\n", ""),
        ('@t = constant [5 x i8] c"i32* "\n!0 = !{!"any pointer", !"i8*"}', ""),
    ],
)
def test_typed_pointers_of_an_older_llvm_are_noticed(text: str, found: str) -> None:
    assert source.typed_pointers(text) == found
