"""Finds the function to improve: in LLVM's text or bitcode, in C through clang, in Cython through C.

C is compiled without clang's optimiser; LLVM's -O2 (the one built into llvmlite, without vectorisation and unrolling)
is run afterwards on a module in which the function that was asked for is visible from outside, without what it does
not lead to.  So a small static function, which clang would inline everywhere and drop, is still there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from m4alloc.superopt import toolchain
from m4alloc.superopt.ir import Function, Module
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.parse_tokens import IrError

SUFFIXES = (".ll", ".bc", ".c", ".pyx")
COMPILERS = ("clang", *(f"clang-{major}" for major in range(22, 13, -1)))
"""Tried in this order; `python -m ziglang cc` (PyPI's ziglang holds clang) comes last."""

_TYPED_POINTER = re.compile(r'(?:[%@]"[^"\n]*"|%[-\w.$]+|\bi\d+|\b(?:half|bfloat|float|double|ptr)|[])}>])\*+')
_TEXT = re.compile(r'(?<![%@])"[^"\n]*"|;[^\n]*')
"""Strings that are no names, and comments."""
_DEFINITION = re.compile(r'^define [^\n]*?@(?:"([^"\n]*)"|([-a-zA-Z$._0-9]+))\(', re.MULTILINE)
_SECONDS = 300


def read(
    path: str | Path,
    function: str | None = None,
    *,
    level: int = 2,
    flags: Sequence[str] = (),
    compiler: str | None = None,
) -> Module:
    """The module in the file `path`; with `function`, only that function is read and the others stay text.

    function: its name in LLVM, or the name that the source gives it: "allocate", "size_class.class_of" for Cython's
    `__pyx_f_7m4alloc_5_core_10size_class_class_of`.  level: LLVM's -O level for C and Cython (text is taken as it is).
    flags: for clang (-I, -D, -march ...).  compiler: the clang to use, the first of COMPILERS by default.
    Raises IrError: no such file, no such function (names like it are offered), no clang, an error in the source, a
    construct that LLVM refuses.  A second for C, some more for Cython.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise IrError(f"{path}: a file of {', '.join(SUFFIXES)} was expected")
    if not path.is_file():
        raise IrError(f"{path}: there is no such file")
    if path.suffix == ".ll":
        text = str(toolchain.read(path.read_text(), str(path)))
    elif path.suffix == ".bc":
        text = str(toolchain.read_bitcode(path.read_bytes(), str(path)))
    else:
        text = _from_source(path, function, level, flags, compiler)
    if function is None:
        return parse_module(text, where=str(path))
    name = matched(function, definitions(text), str(path))
    module = parse_module(text, where=str(path), only={name})
    if not module.functions:
        raise IrError(f"@{name} in {path} cannot be rewritten: {module.skipped[name]}")
    return module


def chosen(path: str | Path, function: str | None = None, *, flags: Sequence[str] = ()) -> Function:
    """The function of the file that `function` names, or its only one; raises as `read`."""
    module = read(path, function, flags=flags)
    if len(module.functions) == 1:
        return module.functions[0]
    names = ", ".join(sorted(plain(each.name) for each in module.functions)[:20])
    raise IrError(f"{path} defines {len(module.functions)} functions, so one must be named: {names}")


def definitions(text: str) -> tuple[str, ...]:
    """Names of the functions that LLVM's text defines, in order.

    >>> definitions('define i8 @f(i8 %x) {\\n  ret i8 %x\\n}\\ndeclare void @g()')
    ('f',)
    """
    return tuple(match.group(1) or match.group(2) for match in _DEFINITION.finditer(text))


def typed_pointers(text: str) -> str:
    """The first type of LLVM's text that says what a pointer points to, as LLVM before 15 wrote it; "" for none.

    >>> typed_pointers("define void @f(i32* %p) {"), typed_pointers("define void @f(ptr %p) { ; i32*")
    ('i32*', '')
    """
    found = _TYPED_POINTER.search(_TEXT.sub("", text))
    return found.group() if found else ""


def unescaped(name: str) -> str:
    r"""A name without LLVM's escapes: a backslash and two hexadecimal digits are a byte of UTF-8.

    >>> unescaped(r"\C3\A9"), unescaped(r"a\22b")
    ('é', 'a"b')
    """
    return re.sub(
        r"(?:\\[0-9A-Fa-f]{2})+",
        lambda found: bytes.fromhex(found.group().replace("\\", "")).decode(errors="replace"),
        name,
    )


def plain(name: str) -> str:
    """A function's name as its source gives it: Cython's marks and LLVM's escapes undone.

    >>> plain("__pyx_f_7m4alloc_5_core_10size_class_class_of"), plain("m4_free")
    ('m4alloc._core.size_class.class_of', 'm4_free')
    """
    name = unescaped(name)
    rest = name.removeprefix("__pyx_f_")
    if rest == name:
        return name
    parts = []
    while (match := re.match(r"(\d+)", rest)) and len(rest) > match.end() + int(match.group()):
        end = match.end() + int(match.group())
        if rest[end] != "_":
            break
        parts.append(rest[match.end() : end])
        rest = rest[end + 1 :]
    return ".".join([*parts, rest])


def matched(wanted: str, names: Sequence[str], where: str) -> str:
    """The one name that `wanted` means: itself, or the end of the name in the source.  IrError offers others."""
    if wanted in names:
        return wanted
    spelt = [name for name in names if unescaped(name) == wanted]
    if len(spelt) == 1:
        return spelt[0]
    found = [name for name in names if f".{plain(name)}".endswith(f".{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise IrError(f"{wanted!r} in {where} may be {', '.join(map(plain, found))}: say more of the name")
    if not names:
        raise IrError(f"{where} defines no function")
    by_plain = {plain(name): name for name in names}
    last = {each.rpartition(".")[2]: each for each in by_plain}
    close = [last[each] for each in get_close_matches(wanted, last, 3, 0.5)] or list(by_plain)[:10]
    raise IrError(f"{where} defines no function {wanted!r}; did you mean {', '.join(close)}?")


def clang(compiler: str | None = None) -> tuple[str, ...]:
    """The command of a clang; IrError says how to install one."""
    if compiler is not None:
        if shutil.which(compiler) is None:
            raise IrError(f"there is no compiler {compiler!r}")
        return (compiler,)
    for name in COMPILERS:
        if shutil.which(name):
            return (name,)
    if _has_module("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined")
    raise IrError("C is read through clang, and none was found: apt install clang, or pip install ziglang")


def _has_module(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _from_source(path: Path, function: str | None, level: int, flags: Sequence[str], compiler: str | None) -> str:
    command = clang(compiler)
    with tempfile.TemporaryDirectory(prefix="m4alloc-superopt-") as folder:
        result = Path(folder) / "module.bc"
        if path.suffix == ".pyx":
            code = Path(folder) / f"{path.stem}.c"
            _cython(path, code)
            flags = [f"-I{path.resolve().parent}", f"-I{sysconfig.get_paths()['include']}", *flags]
        else:
            code = path
            if "Python.h" in path.read_text(errors="replace")[:20_000]:
                flags = [f"-I{sysconfig.get_paths()['include']}", *flags]
        line = [*command, f"-O{max(level, 1)}", "-Xclang", "-disable-llvm-passes", "-fno-discard-value-names", "-g0"]
        line += ["-w", *flags, "-c", "-emit-llvm", str(code), "-o", str(result)]
        _run(line, path)
        return _optimised(result.read_bytes(), path, function, level)


def _cython(path: Path, code: Path) -> None:
    """Cython's C of a .pyx, in a file of its own, run from the folder above its package, on which names depend."""
    if not _has_module("Cython"):
        raise IrError(f"{path}: Cython is not installed: pip install 'Cython >= 3.1'")
    root = path.resolve().parent
    while any((root / f"__init__.{suffix}").exists() for suffix in ("py", "pxd", "pyx")):
        root = root.parent
    _run([sys.executable, "-m", "cython", "-3", "-o", str(code), str(path.resolve().relative_to(root))], path, root)


def _run(command: Sequence[str], path: Path, folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise IrError(f"{path}: {command[0]} took longer than {_SECONDS} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        shown = [line for line in lines if "error" in line][:3] or lines[-3:]
        raise IrError(f"{path}: {' '.join(command[:3])} refuses it: {'; '.join(shown)}")


def _optimised(bitcode: bytes, path: Path, function: str | None, level: int) -> str:
    """The module after LLVM's -O`level`, cut down to what the function that was asked for needs."""
    module = toolchain.read_bitcode(bitcode, str(path))
    if function is not None:
        names = [each.name for each in module.functions if not each.is_declaration]
        _cut_down(module, matched(function, names, str(path)))
    machine = toolchain.machine("x86-64", level)
    toolchain.run_pipeline(module, machine, level, vectorise=False)
    return str(module)


def _cut_down(module: Any, wanted: str) -> None:
    """Makes the function visible from outside, and drops the functions that it does not lead to.

    Variables become visible too: what is dropped may have written to them, so their values must not be guessed.
    """
    linkage = toolchain.llvm().Linkage
    for variable in module.global_variables:
        if linkage(variable.linkage) in {linkage.internal, linkage.private} and not variable.is_declaration:
            variable.linkage = "external"
    for each in module.functions:
        if each.name == wanted:
            each.linkage = "external"
        elif linkage(each.linkage) is linkage.external and not each.is_declaration:
            each.linkage = "internal"
    toolchain.drop_dead_globals(module)
