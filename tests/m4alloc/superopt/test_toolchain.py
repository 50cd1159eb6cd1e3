"""m4alloc.superopt.toolchain: LLVM's passes, assembly and machine code behind one door."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from m4alloc.superopt import parse, toolchain
from m4alloc.superopt.parse_tokens import IrError

DOUBLE = "define i32 @f(i32 %x) { %a = mul i32 %x, 8 %b = sdiv i32 %a, 8 %c = add i32 %x, %x ret i32 %c }"
CAPABILITY = "define ptr addrspace(200) @f(ptr addrspace(200) %p) { ret ptr addrspace(200) %p }"


def test_the_version_is_llvmlites() -> None:
    assert toolchain.version() == tuple(toolchain.llvm().llvm_version_info)


def test_optimisation_removes_dead_code() -> None:
    function = toolchain.optimised(parse.parse_function(DOUBLE))
    assert [each.opcode for each in function] == ["shl", "ret"]


def test_a_function_that_nothing_calls_is_optimised_all_the_same() -> None:
    function = parse.parse_function("define internal i8 @f(i8 %x) { %y = add i8 %x, 1 %z = sub i8 %y, 1 ret i8 %z }")
    better = toolchain.optimised(function)
    assert better == replace(function, blocks=better.blocks), "what LLVM infers of the signature is left out"
    assert better.size == 0


def test_level_0_changes_nothing() -> None:
    assert parse.parse_function(toolchain.optimise(DOUBLE, 0)) == parse.parse_function(DOUBLE)


@pytest.mark.parametrize(("target", "expected"), [("x86-64", 1), ("x86-64-v3", 1), ("aarch64", 1), ("riscv64", 1)])
def test_every_target_counts_its_own_instructions(target: str, expected: int) -> None:
    text = toolchain.optimise(DOUBLE, 3, target)
    assert toolchain.instruction_count(toolchain.assembly(text, target)) == expected


def test_the_target_wins_over_a_functions_own_processor() -> None:
    text = 'define i32 @f(i32 %x) "target-cpu"="x86-64" { %n = sub i32 0, %x %r = and i32 %x, %n ret i32 %r }'
    counts = {name: toolchain.instruction_count(toolchain.assembly(text, name)) for name in ("x86-64", "x86-64-v3")}
    assert counts == {"x86-64": 3, "x86-64-v3": 1}


def test_returns_labels_directives_and_comments_do_not_count() -> None:
    text = "f:\n\t.globl f\n# %bb.0:\n\taddl %esi, %edi\t# add\n.L1:\n\tretq\n\t// note\n\tret\n\tretry\n"
    assert toolchain.instruction_count(text) == 2


@pytest.mark.parametrize(
    "use", [toolchain.optimise, toolchain.assembly, toolchain.native], ids=lambda use: use.__name__
)
@pytest.mark.parametrize(
    "text",
    [
        CAPABILITY,
        "declare i64 @llvm.cheri.cap.length.get.i64(ptr addrspace(200))\ndefine void @f() { ret void }",
        'target datalayout = "e-p200:128:128:128:64"\ndefine void @f() { ret void }',
        'target datalayout = "e-A200-P200-G200"\ndefine void @f() { ret void }',
    ],
    ids=["pointer", "intrinsic", "layout", "default spaces"],
)
def test_capability_code_never_reaches_stock_llvm(use: object, text: str) -> None:
    assert callable(use)
    with pytest.raises(IrError, match="capability"):
        use(text)


def test_an_unknown_target_is_refused_with_the_list() -> None:
    with pytest.raises(IrError, match="no target 'vax'; there are x86-64, x86-64-v3, aarch64, riscv64"):
        toolchain.assembly(DOUBLE, "vax")
    with pytest.raises(IrError, match="level is 0 to 3, not 4"):
        toolchain.optimise(DOUBLE, 4)


def test_a_missing_llvmlite_is_named() -> None:
    script = (
        "import sys; sys.modules['llvmlite'] = None\n"
        "from m4alloc.superopt import toolchain\n"
        "try: toolchain.llvm()\n"
        "except toolchain.ToolchainMissingError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'm4alloc[superopt]'" in done.stdout


def test_threads_may_share_the_toolchain() -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: toolchain.assembly(toolchain.optimise(DOUBLE)), range(24)))
    assert len(set(results)) == 1


NATIVE = """
from m4alloc.superopt import parse, toolchain
wrap = parse.parse_function("define i7 @f(i7 %x, i64 %y) { %t = trunc i64 %y to i7 %z = add i7 %x, %t ret i7 %z }")
functions = [toolchain.native_function(wrap) for _ in range(20)]  # one engine each, all alive
assert {function(100, 2**40 + 100) for function in functions} == {200 % 128}
null = parse.parse_function("define i1 @f(ptr %p) { %z = icmp eq ptr %p, null ret i1 %z }")
assert [toolchain.native_function(null)(address) for address in (0, 16)] == [1, 0]
for text, why in (
    ("declare i32 @nowhere()\\ndefine i32 @f() { %x = call i32 @nowhere() ret i32 %x }", "@nowhere"),
    ("define <2 x i8> @f(<2 x i8> %x) { ret <2 x i8> %x }", "cannot be passed"),
    ("define i65 @f(i65 %x) { ret i65 %x }", "cannot be passed"),
):
    try:
        toolchain.native_function(parse.parse_function(text))
    except parse.IrError as error:
        assert why in str(error), error
    else:
        raise AssertionError(text)
print("done")
"""


def test_native_code_runs_and_what_would_end_the_process_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", NATIVE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_bitcode_of_this_llvm_is_read_and_garbage_is_not() -> None:
    data = toolchain.read(DOUBLE).as_bitcode()
    assert parse.parse_function(str(toolchain.read_bitcode(data))) == parse.parse_function(DOUBLE)
    with pytest.raises(IrError, match=r"x\.bc: .*LLVM"):
        toolchain.read_bitcode(b"no bitcode", "x.bc")


@pytest.mark.campaign
def test_optimising_again_and_again_costs_no_memory() -> None:
    """llvmlite loses each pass manager; the toolchain frees them."""
    script = (
        "import resource\nfrom m4alloc.superopt import toolchain\n"
        "def work():\n"
        "    for _ in range(150): toolchain.optimise('define i8 @f(i8 %x) { %y = mul i8 %x, 2 ret i8 %y }')\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(-work() + work())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 3000, "kB"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("define i32 @f() { %y = newop i32 1 ret i32 %y }", "expected instruction opcode: `define i32 @f() {"),
        ("define i8 @f(i1 %c) {\n br i1 %c, label %a, label %b\na:\n %y = add i8 1, 1\n br label %b\nb: ret i8 %y }",
         "Instruction does not dominate all uses!: `%y = add i8 1, 1`; `ret i8 %y` (refused by the verifier of LLVM"),
    ],
)  # fmt: skip
def test_what_llvm_says_over_several_lines_is_told_in_one(text: str, told: str) -> None:
    with pytest.raises(IrError) as caught:
        toolchain.read(text, "a.ll")
    message = str(caught.value)
    assert "\n" not in message and told in message and message.startswith("a.ll:")


def test_a_module_that_dies_in_a_cycle_dies_before_its_context() -> None:
    program = (
        "import gc\nfrom m4alloc.superopt import toolchain\ngc.disable()\n"
        "for number in range(200):\n"
        "    module = toolchain.read('define i8 @f(i8 %x) { ret i8 %x }')\n"
        "    cycle = [module._context, module]\n"
        "    cycle.append(cycle)\n"
        "    del module, cycle\n"
        "    gc.collect()\n"
        "print(len(toolchain._contexts))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


@pytest.mark.parametrize(
    ("line", "targets"),
    [
        ("define <vscale x 2 x i32> @f(<vscale x 2 x i32> %x) { ret <vscale x 2 x i32> %x }", "x86-64 aarch64"),
        ("define ppc_fp128 @f(ppc_fp128 %x) { %r = fneg ppc_fp128 %x ret ppc_fp128 %r }", "x86-64 aarch64"),
        ("define x86_fp80 @f(x86_fp80 %x) { %r = fadd x86_fp80 %x, %x ret x86_fp80 %r }", "aarch64 riscv64"),
        ("define amdgpu_gfx i32 @f(i32 %x) { ret i32 %x }", "aarch64 riscv64"),
        ("define x86_stdcallcc i32 @f(i32 %x) { ret i32 %x }", "aarch64 riscv64"),
        ("define cc 99 i32 @f(i32 %x) { ret i32 %x }", "aarch64 riscv64"),
        ('define void @f() gc "foo" { ret void }', "x86-64 aarch64"),
        ('define void @f(target("spirv.Event") %p) { ret void }', "x86-64 riscv64"),
    ],
)
def test_what_llvm_ends_the_process_for_is_not_emitted(line: str, targets: str) -> None:
    for target in targets.split():
        with pytest.raises(IrError, match="is not emitted for"):
            toolchain.assembly(line, target)


def test_names_do_not_forbid_to_emit_code() -> None:
    text = (
        'define fastcc i32 @vscale(i32 %acc, i32 %"gc") "a"="cc 10" { %vscale.acc = add i32 %acc, %"gc" ret i32 %acc }'
    )
    assert toolchain.not_emitted(text, "aarch64") == ""
    assert toolchain.assembly(text, "aarch64")
