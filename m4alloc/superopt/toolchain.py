"""LLVM through llvmlite: parsing, verification, -O3, assembly and code that runs, behind one door."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from m4alloc.superopt.ir import Function, Int, Pointer, Type, Void
from m4alloc.superopt.parse_tokens import IrError


@dataclass(frozen=True)
class Target:
    """What code is made for: LLVM's triple, processor and features."""

    triple: str
    processor: str = ""
    features: str = ""


TARGETS = {
    "x86-64": Target("x86_64-unknown-linux-gnu", "x86-64"),
    "x86-64-v3": Target("x86_64-unknown-linux-gnu", "x86-64-v3"),
    "aarch64": Target("aarch64-unknown-linux-gnu", "generic"),
    "riscv64": Target("riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c"),
}
"""riscv64 is RV64GC without the bit-manipulation extension, as Debian builds for it."""

_lock = threading.Lock()
_CAPABILITY = re.compile(r"addrspace\(200\)|\b[APG]200\b|llvm\.cheri\.|-p[ef]?200:")


_PROCESSOR = re.compile(r'"(?:target-cpu|target-features|tune-cpu)"(?:="[^"]*")?')
"""Attributes that name a processor for one function; they would win over the target that was asked for."""


class ToolchainMissingError(RuntimeError):
    """llvmlite is not installed."""


@cache
def _loaded() -> Any:
    with _lock:
        try:
            import llvmlite.binding as binding
        except ImportError as error:
            raise ToolchainMissingError(
                f"the superoptimiser needs llvmlite, which holds LLVM: pip install 'm4alloc[superopt]' ({error})"
            ) from error
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        return binding


def llvm() -> Any:
    """llvmlite's binding, its targets initialised; the first call costs about 0.1 s.

    Raises ToolchainMissingError, which names the line that installs it.
    """
    return _loaded()


def version() -> tuple[int, int, int]:
    """The LLVM built into llvmlite."""
    major, minor, patch = llvm().llvm_version_info
    return major, minor, patch


def read(text: str, where: str = "<text>") -> Any:
    """The text as llvmlite's module, parsed and verified in a context of its own; IrError says what LLVM refuses.

    About 0.1 ms for a small function.
    """
    binding = llvm()
    context = binding.create_context()
    try:
        module = _outlived(binding.parse_assembly(text, context), context)
        module.verify()
    except RuntimeError as error:
        raise IrError(_explained(str(error), where)) from None
    return module


_contexts: dict[int, Any] = {}
"""Of modules that are alive."""


def _outlived(module: Any, context: Any) -> Any:
    """The module, whose context is let go only as the module itself goes.

    Both may die in one cycle, such as that of an exception with its frames; the collector then ends them in any order,
    and to free a module after its context ends the process.
    """
    _contexts[id(module)] = context
    weakref.finalize(module, _contexts.pop, id(module)).atexit = False
    return module


def read_bitcode(data: bytes, where: str = "<bitcode>") -> Any:
    """LLVM's binary form as llvmlite's module, verified.

    Unlike text it may come from an older LLVM, whose typed pointers and constant expressions are brought up to date.
    """
    binding = llvm()
    context = binding.create_context()
    try:
        module = _outlived(binding.parse_bitcode(data, context), context)
        module.verify()
    except RuntimeError as error:
        message = str(error).removeprefix("LLVM bitcode parsing error").strip() or "it is no bitcode"
        raise IrError(f"{where}: {message} (read by LLVM {version()[0]}, which is built into llvmlite)") from None
    return module


_EXPLANATIONS = (
    (
        r"pointer specification flag",
        "address space 200 as `pf200` is the layout of a CHERI fork of LLVM; stock LLVM writes `pe200` or `p200`",
    ),
    (
        r"no longer supported",
        "an older LLVM wrote it; give its bitcode (.bc), which is brought up to date as it is read",
    ),
    (r"error: (?:expected|unknown|invalid|unterminated)", "a word is misspelt, or belongs to another version of LLVM"),
)


def _explained(message: str, where: str) -> str:
    """LLVM's message in one line: the place, what is wrong, the code, who says so and what may be the reason."""
    major = version()[0]
    parsing = message.startswith("LLVM IR parsing error")
    message = message.removeprefix("LLVM IR parsing error").strip()
    message = message.replace("<string>", where, 1) if message.startswith("<string>") else f"{where}: {message}"
    if not parsing:
        return f"{_in_one_line(message)} (refused by the verifier of LLVM {major}, which is built into llvmlite)"
    reasons = [reason for pattern, reason in _EXPLANATIONS if re.search(pattern, message)]
    hint = f": {reasons[0]}" if reasons else ""
    return f"{_in_one_line(message)} (read by LLVM {major}, which is built into llvmlite{hint})"


def _in_one_line(message: str) -> str:
    """What LLVM says over several lines: the first, then the code; the caret is gone, for the column is in the first.

    >>> _in_one_line("f.ll:1:3: error: expected type\\ndefine x @f()\\n       ^")
    'f.ll:1:3: error: expected type: `define x @f()`'
    """
    first, *rest = [line.strip() for line in message.splitlines() if line.strip(" ^~\t")]
    return f"{first}: {'; '.join(f'`{line}`' for line in rest)}" if rest else first


def target(name: str) -> Target:
    """The target of that name; IrError lists those there are."""
    try:
        return TARGETS[name]
    except KeyError:
        raise IrError(f"no target {name!r}; there are {', '.join(TARGETS)}") from None


@cache
def machine(name: str, level: int) -> Any:
    """A target machine for optimisation and assembly, where one may be used again and again (engines may not)."""
    chosen = target(name)
    return (
        llvm()
        .Target.from_triple(chosen.triple)
        .create_target_machine(
            cpu=chosen.processor, features=chosen.features, opt=level, reloc="pic", codemodel="default"
        )
    )


def _stock(text: str, name: str, level: int, where: str) -> tuple[Any, Any]:
    """Module and machine, the module in the target's layout; IrError for code that stock LLVM must not touch."""
    module = read(_PROCESSOR.sub("", text), where)
    if _CAPABILITY.search(str(module)):
        raise IrError(
            f"{where} holds capability code (address space 200 or llvm.cheri.*), which stock LLVM must not optimise or "
            "translate: it takes capabilities for integers, so that -O3 folds inttoptr(ptrtoint x) to x and forges tags"
        )
    made = machine(name, level)
    module.triple = target(name).triple
    module.data_layout = str(made.target_data)
    return module, made


def optimise(text: str, level: int = 3, target: str = "x86-64", *, where: str = "<text>") -> str:
    """The text after LLVM's own pipeline at -O0 to -O3 for `target`.

    Inlining, vectorisation and unrolling included, as in clang; the target's processor replaces the functions'
    own.  Raises IrError for an unknown target, text that LLVM
    refuses, and capability code.  About 1.5 ms for a small function.
    """
    if level not in range(4):
        raise IrError(f"the level is 0 to 3, not {level}")
    with _use:
        module, machine = _stock(text, target, level, where)
        run_pipeline(module, machine, level, vectorise=level >= 2)
        return str(module)


def run_pipeline(module: Any, machine: Any, level: int, *, vectorise: bool) -> None:
    """LLVM's own passes over llvmlite's module, in place; vectorise: loops may be vectorised and unrolled too."""
    options = llvm().create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = vectorise
    options.loop_unrolling = options.loop_interleaving = vectorise
    builder = llvm().create_pass_builder(machine, options)
    _run(builder.getModulePassManager(), module, builder)


def drop_dead_globals(module: Any) -> None:
    """Internal functions and variables that nothing leads to, out of llvmlite's module."""
    passes = llvm().create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm().create_pipeline_tuning_options(speed_level=2)
    _run(passes, module, llvm().create_pass_builder(machine("x86-64", 2), options))


def _run(passes: Any, module: Any, builder: Any) -> None:
    """Once, as a pass manager cannot run again, and is then freed by hand: llvmlite's own destructor of module pass
    managers is hidden by that of a base class, which loses 50 kB a run."""
    passes.run(module, builder)
    own: Any = next(each for each in type(passes).__mro__ if each.__name__ == "NewPassManager")
    if type(passes)._dispose is not own._dispose:
        own._dispose(passes)


_ASM = re.compile(r"^module asm |\bcall\b[^\n\"]*\basm\b", re.MULTILINE)
_OF_A_PROCESSOR = re.compile(
    r"@(llvm\.(?:x86|aarch64|arm|riscv|ppc|s390|hexagon|mips|nvvm|amdgcn|wasm|loongarch)\.[\w.]+)"
)
_PROVIDED = {
    "x86-64": r"llvm\.x86\.sse2?\.",
    "x86-64-v3": r"llvm\.x86\.(?:ss?se\w*|avx2?|bmi|fma)\.",
    "aarch64": r"llvm\.aarch64\.neon\.",
}


_STRING = re.compile(r'(?<![%@])"[^"\n]*"')
_NOWHERE = re.compile(
    r'(?<![%@"\w.$-])(vscale|target(?=\("")|ppc_fp128|gc(?= "")|anyregcc|cfguard_checkcc)'
    r"|@(llvm\.vscale|llvm\.\w+_register)"
)
"""What LLVM emits for none of the targets, but to end the process."""
_ON_X86_ONLY = re.compile(
    r"(?<![%@\"\w.$-])(x86_fp80|cc \d+|(?!fastcc|preserve_mostcc)[a-z]\w*cc|(?:aarch64|amdgpu|ptx|spir)_\w+)(?= )"
)


def not_emitted(text: str, target: str) -> str:
    """Why no assembly is emitted for the text, "" where it is: what LLVM cannot select ends the whole process.

    >>> not_emitted("declare i32 @llvm.x86.sse42.crc32.32.32(i32, i32)", "aarch64")
    'llvm.x86.sse42.crc32.32.32 is no instruction of aarch64'
    """
    if _ASM.search(text):
        return "assembly within the code, which LLVM cannot print here"
    plain = _STRING.sub('""', text)
    impossible = _NOWHERE.search(plain) or (None if target.startswith("x86") else _ON_X86_ONLY.search(plain))
    if impossible:
        return f"{next(filter(None, impossible.groups()))} is not emitted for {target}"
    provided = _PROVIDED.get(target, "(?!)")
    foreign = [name for name in _OF_A_PROCESSOR.findall(text) if not re.match(provided, name)]
    return f"{foreign[0]} is no instruction of {target}" if foreign else ""


def assembly(text: str, target: str = "x86-64", *, where: str = "<text>") -> str:
    """Assembly for `target`, position-independent, instructions selected and scheduled as at -O3.

    AT&T syntax on x86-64.  The IR itself is not optimised.  Raises as `optimise`.  About 2 ms.
    """
    if why := not_emitted(text, target):
        raise IrError(f"{where}: {why}")
    with _use:
        module, machine = _stock(text, target, 3, where)
        emitted: str = machine.emit_assembly(module)
        return emitted


def instruction_count(assembly: str) -> int:
    r"""Instructions of an assembly text: every line but labels, directives, comments and returns.

    Returns are left out because no rewrite can save them; an instruction counts 1 whatever it costs.

    >>> instruction_count("f:\n\t.cfi_startproc\n# %bb.0:\n\tleal (%rdi,%rdi), %eax # double\n\tretq\n.Lend:\n")
    1
    """
    return sum(_INSTRUCTION.match(line) is not None for line in assembly.splitlines())


_INSTRUCTION = re.compile(r"\s+(?!retq?\b|[.#/@])[a-zA-Z]")
_use = threading.RLock()


def optimised(function: Function, target: str = "x86-64", level: int = 3) -> Function:
    """What LLVM's own pipeline makes of one function: its body only, the signature and all attributes stay.

    What LLVM infers of arguments and result is left out, as it promises more than was asked.  Raises as `optimise`,
    and IrError where LLVM leaves something that cannot be held.
    """
    from m4alloc.superopt import parse, printer

    visible = replace(function, linkage=tuple(word for word in function.linkage if word.endswith("cc")))
    text = optimise(printer.print_function(visible), level, target, where=f"@{function.name}")
    found = parse.parse_function(text, function.name)
    return replace(function, blocks=found.blocks)


@dataclass(frozen=True)
class Native:
    """Machine code in this process; it lives as long as this object.

    Code that is undefined may end the process, and a loop may never end: run what is not trusted in a child process.
    """

    engine: Any

    def address(self, name: str) -> int:
        """Of the function `name`."""
        found: int = self.engine.get_function_address(name)
        return found

    def callable(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        """The function `name` as a ctypes function; `result` and `arguments` are ctypes types, None for void."""
        import ctypes

        function: Callable[..., Any] = ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
        return function


def native(text: str, level: int = 2, *, where: str = "<text>") -> Native:
    """The text as machine code for this processor, not optimised in IR; `level` is the code generator's.

    Raises IrError for a declaration that nothing in this process defines (MCJIT would end the process) and for
    capability code.  About 2.5 ms: each engine gets a machine of its own, because sharing one ends the process.
    """
    binding = llvm()
    with _use:
        module = read(text, where)
        if _CAPABILITY.search(str(module)):
            raise IrError(f"{where} holds capability code: this processor does not run it, m4alloc.superopt.cheri does")
        for function in module.functions:
            missing = function.is_declaration and not function.name.startswith("llvm.")
            if missing and not binding.address_of_symbol(function.name):
                raise IrError(f"{where} calls @{function.name}, which nothing in this process defines")
        for variable in module.global_variables:
            if variable.is_declaration and not binding.address_of_symbol(variable.name):
                raise IrError(f"{where} uses @{variable.name}, which nothing in this process defines")
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=level
        )
        module.triple = binding.get_process_triple()
        engine = binding.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return Native(engine)


def native_function(function: Function) -> Callable[..., int | None]:
    """One function of integers up to 64 bits and pointers as a Python callable, compiled without optimisation.

    Integers are unsigned, pointers are addresses.  IrError for another type, and as `native`.
    """
    import ctypes

    from m4alloc.superopt import printer

    def plain(type_: Type) -> Any:
        if isinstance(type_, Int) and type_.width <= 64:
            return next(kind for bits, kind in kinds if type_.width <= bits)
        if isinstance(type_, Pointer):
            return ctypes.c_size_t
        if isinstance(type_, Void):
            return None
        raise IrError(f"@{function.name}: a {type_} cannot be passed from Python")

    kinds = ((8, ctypes.c_uint8), (16, ctypes.c_uint16), (32, ctypes.c_uint32), (64, ctypes.c_uint64))
    code = native(printer.print_function(function), 0, where=f"@{function.name}")
    called = code.callable(function.name, plain(function.type), *(plain(a.type) for a in function.arguments))
    mask = (1 << function.type.width) - 1 if isinstance(function.type, Int) else (1 << 64) - 1

    def call(*arguments: int) -> int | None:
        assert code.engine is not None  # keeps the code alive
        result = called(*arguments)
        return None if result is None else result & mask

    return call
