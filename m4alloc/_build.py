"""Compile the preload libraries from the generated C, the driver of allocators under test and the interleaving checker:
used by setup.py, by the mutant harnesses, by `m4alloc lib`.

setup.py loads this file by path, so it imports the standard library only (and Cython, when C must be generated).
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
MACHINES = ("x86_64", "aarch64")

LIBRARIES = {
    "preload": "libm4alloc.so",
    "record_preload": "libm4record.so",
    "replay_preload": "libm4replay.so",
    "monitor_preload": "libm4monitor.so",
}
"""The C file (without suffix) of each library, and the library's name in the package."""
GENERATED = {
    "preload": ("_fast",),
    "record_preload": ("_record",),
    "replay_preload": ("_replay",),
    "monitor_preload": ("_monitor", "_fast"),
}
"""The Cython modules whose generated C each of them includes."""
FURTHER = {"monitor_preload": ("monitor_core", "monitor_hooks*", "monitor_libc*")}
"""Further C files (patterns, without suffix) of a library that is more than one translation unit."""
EXPORTS = {"monitor_preload": "monitor_libc.map.txt"}
"""A file of further public symbols of a library, one a line."""

PROGRAMS = {"check/driver/main.c": "m4check"}
"""The main file of each program, and the program's name in the package."""

CHECKER = "m4interleave"
"""The interleaving checker's program in the package: the core compiled for a scheduler of its own."""
CHECKER_SOURCES = ("memory", "compiler", "scheduler", "system", "scenarios", "litmus", "main")

EXTENSIONS = ("_fast", "_accept_heap", "_accept")
"""The Cython modules that Python imports: the allocator's core, and the compiled acceptor."""

EXTENSION_FLAGS = (
    "-O3",
    "-DCYTHON_INLINE=",
    "-fno-tree-slp-vectorize",
    "-fvisibility=hidden",
    "-ftls-model=initial-exec",
    "-pthread",
    "-Wno-sign-compare",
    "-Wno-unused-function",
)
COMPILE_FLAGS = (
    "-O3",
    "-fPIC",
    "-DCYTHON_INLINE=",  # GCC then judges by heat: hot paths stay short, slow paths out of line (see _cold.h)
    "-fno-builtin",  # else GCC turns malloc + memset inside calloc into a call of calloc
    "-fno-tree-slp-vectorize",  # a slot stored as two words and loaded as one vector waits for the stores to retire
    "-fexceptions",  # operator new throws through these frames
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-ftls-model=initial-exec",
    "-pthread",
)
LINK_FLAGS = (
    "-shared",
    "-Wl,--gc-sections",  # drops every function that talks to Python
    "-Wl,-z,defs",  # and proves that none is left
    "-Wl,-z,relro",
    "-Wl,-z,nodelete",  # a thread that exits later still calls into the library
    "-Wl,-z,now",
)


class BuildError(Exception):
    """The native code cannot be built here; the message says why and what to do."""


def unsupported() -> str | None:
    """Why the native core cannot exist on this machine, or None when it can."""
    if not sys.platform.startswith("linux"):
        return f"the core needs Linux; this is {sys.platform}"
    if platform.machine() not in MACHINES:
        return f"the core needs one of {', '.join(MACHINES)}; this machine is {platform.machine()}"
    if sys.maxsize < 2**32:
        return "the core needs a 64-bit Python; this one is 32-bit"
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        glibc = None
    return None if glibc else "the core needs glibc; this Python runs on another C library"


def headers(module: str = "_fast") -> list[Path]:
    """Every file that the generated C of a module may depend on besides its own .pyx.

    The acceptor is no part of the allocator: its layers are _accept*.pxd, and nothing else depends on those.
    """
    if module.startswith("_accept"):
        return sorted(PACKAGE.glob("_accept*.pxd"))
    patterns = ("*.pxd", "*.h", "_core/*.pxd", "_core/*.h", *(("_watch/*.pxd",) if module == "_monitor" else ()))
    found = (path for pattern in patterns for path in PACKAGE.glob(pattern))
    return sorted(path for path in found if not path.name.startswith("_accept"))


def generate(module: str) -> Path:
    """The C file of the Cython module named, generated anew when a source is newer.

    An installed package has no .pyx, and its C file is used as it is.
    Raises BuildError: no Cython, or an error in the source.
    """
    source, result = PACKAGE / f"{module}.pyx", PACKAGE / f"{module}.c"
    if not source.exists():
        if result.exists():
            return result
        raise BuildError(f"neither {source} nor {result} exists")
    inputs = [source, *headers(module)]
    if result.exists() and result.stat().st_mtime >= max(path.stat().st_mtime for path in inputs):
        return result
    try:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError
    except ImportError as error:
        raise BuildError("Cython is not installed: pip install 'Cython >= 3.1'") from error
    here = Path.cwd()
    os.chdir(PACKAGE.parent)  # the names of functions and the paths in messages depend on it
    try:
        cythonize([f"m4alloc/{module}.pyx"], force=True, quiet=True)
    except CompileError as error:
        raise BuildError(f"Cython refuses {source}: {error}") from error
    finally:
        os.chdir(here)
    return result


def is_stale(library: Path, source: str) -> bool:
    """Whether any input of the library is newer than it, or the library does not exist."""
    if not library.exists():
        return True
    names = [f"{source}.map", "_build.py", *(f"{module}.c" for module in GENERATED[source])]
    if source in EXPORTS:
        names.append(EXPORTS[source])
    inputs = [*(PACKAGE / name for name in names), *sources(source), *headers()]
    return library.stat().st_mtime < max(path.stat().st_mtime for path in inputs)


def sources(source: str) -> list[Path]:
    """The C files of a library, the one that it is called by first."""
    further = (path for pattern in FURTHER.get(source, ()) for path in sorted(PACKAGE.glob(f"{pattern}.c")))
    return [PACKAGE / f"{source}.c", *further]


def compile_library(
    output: str | os.PathLike[str],
    *,
    source: str = "preload",
    defines: Mapping[str, object] | None = None,
    exports: Sequence[str] = (),
) -> Path:
    """Build one preload library, needing only libc, and return the absolute path of `output`.

    source: "preload" (the allocator), "record_preload" (the recorder), "replay_preload" (the replayer) or
    "monitor_preload" (the monitor).
    defines: extra macros, name to value: `{"M4_FAULT": 3}` is `-DM4_FAULT=3`. exports: extra public symbols.
    CC, CFLAGS and LDFLAGS of the environment are respected; the last two come after our own flags.
    The file appears complete or not at all, so programs that run on an older one are not disturbed.
    Raises BuildError: unsupported machine, no compiler, no Python headers, or what the compiler said.
    Cost: one compiler run, 5 to 30 seconds.
    """
    reason = unsupported()
    if reason:
        raise BuildError(reason)
    if source not in LIBRARIES:
        raise BuildError(f"no library is built from {source!r}; there are {', '.join(map(repr, LIBRARIES))}")
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise BuildError(f"{include}/Python.h does not exist: apt-get install python3-dev")
    for module in GENERATED[source]:
        generate(module)
    target = Path(output).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    macros = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        fresh, script = Path(scratch) / target.name, Path(scratch) / "symbols.map"
        if source in EXPORTS:
            exports = [*exports, *(PACKAGE / EXPORTS[source]).read_text().split()]
        symbols = "".join(f"    {name};\n" for name in exports)
        script.write_text((PACKAGE / f"{source}.map").read_text().replace("  global:\n", f"  global:\n{symbols}", 1))
        run_compiler(
            *COMPILE_FLAGS,
            *shlex.split(os.environ.get("CFLAGS", "")),
            *macros,
            f"-I{include}",
            f"-I{PACKAGE}",
            *map(str, sources(source)),
            *LINK_FLAGS,
            f"-Wl,--version-script={script}",
            f"-Wl,-soname,{LIBRARIES[source]}",
            *shlex.split(os.environ.get("LDFLAGS", "")),
            "-o",
            str(fresh),
        )
        fresh.replace(target)
    return target


def compile_with_strategy(output: str | os.PathLike[str], settings: str, *, checked_copies: bool) -> Path:
    """Build the allocator with a strategy as its default, and return the absolute path of `output`.

    settings: as M4ALLOC_STRATEGY has them. checked_copies: whether the library has memcpy, memmove and memset, too.
    Raises BuildError.  Cost: one compiler run, 5 to 30 seconds.
    """
    defines = {"M4_STRATEGY": f'"{settings}"'}
    if not checked_copies:
        return compile_library(output, defines=defines)
    return compile_library(output, defines={**defines, "M4_CHECK_COPIES": 1}, exports=("memcpy", "memmove", "memset"))


def is_stale_program(program: Path, source: str) -> bool:
    """Whether any input of the program is newer than it, or the program does not exist."""
    if not program.exists():
        return True
    inputs = [*(PACKAGE / source).parent.glob("*.[ch]"), PACKAGE / "_build.py"]
    return program.stat().st_mtime < max(path.stat().st_mtime for path in inputs)


def compile_program(output: str | os.PathLike[str], source: str) -> Path:
    """Build one of PROGRAMS, needing only libc, and return the absolute path of `output`.

    CC, CFLAGS and LDFLAGS of the environment are respected. The file appears complete or not at all.
    Raises BuildError: unsupported machine, no compiler, or what the compiler said.
    Cost: one compiler run, 1 second.
    """
    reason = unsupported()
    if reason:
        raise BuildError(reason)
    target = Path(output).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        fresh = Path(scratch) / target.name
        run_compiler(
            *("-std=gnu17", "-O2", "-Wall", "-Wextra", "-pthread"),
            *shlex.split(os.environ.get("CFLAGS", "")),
            str(PACKAGE / source),
            *shlex.split(os.environ.get("LDFLAGS", "")),
            "-ldl",
            "-o",
            str(fresh),
        )
        fresh.replace(target)
    return target


def is_stale_checker(program: Path) -> bool:
    """Whether any input of the interleaving checker is newer than it, or it does not exist."""
    if not program.exists():
        return True
    inputs = [*(PACKAGE / "check/interleave").glob("*.[ch]"), PACKAGE / "_fast.c", PACKAGE / "_build.py", *headers()]
    return program.stat().st_mtime < max(path.stat().st_mtime for path in inputs if path.exists())


def compile_checker(
    output: str | os.PathLike[str], fault: int = 0, *, defines: Mapping[str, object] | None = None
) -> Path:
    """Build the interleaving checker, needing only libc, and return the absolute path of `output`.

    The core in it is the C that the libraries are made of. -fsanitize=thread turns its accesses to memory into calls,
    which the checker itself defines, so ThreadSanitizer's library is not linked.
    fault: one of the seeded faults of concurrency (m4alloc/_core/fault.pxd); 0 is the core as it is.
    defines: extra macros, name to value.
    Raises BuildError: unsupported machine, no compiler, no Python headers, or what the compiler said.
    Cost: two compiler runs, 4 seconds.
    """
    reason = unsupported()
    if reason:
        raise BuildError(reason)
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise BuildError(f"{include}/Python.h does not exist: apt-get install python3-dev")
    generate("_fast")
    target = Path(output).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = PACKAGE / "check/interleave"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        core, fresh = Path(scratch) / "core.o", Path(scratch) / target.name
        run_compiler(
            *("-std=gnu17", "-O1", "-fsanitize=thread", "-DM4_SCHEDULE", f"-DM4_ORDER_FAULT={fault}"),
            *(f"-D{name}={value}" for name, value in (defines or {}).items()),
            *(
                "-DCYTHON_INLINE=",
                "-ffunction-sections",
                "-fdata-sections",
                "-Wno-sign-compare",
                "-Wno-unused-function",
            ),
            *(f"-I{include}", f"-I{PACKAGE}", "-c", str(sources / "core.c"), "-o", str(core)),
        )
        run_compiler(
            *("-std=gnu17", "-O2", "-Wall", "-Wextra"),
            *(str(sources / f"{name}.c") for name in CHECKER_SOURCES),
            *(str(core), "-Wl,--gc-sections", "-o", str(fresh)),
        )
        fresh.replace(target)
    return target


def run_compiler(*arguments: str) -> None:
    """Run the C compiler. Raises BuildError: there is none, or what it said."""
    command = [*shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc")), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError(f"no C compiler ({command[0]}): apt-get install gcc") from error
    if done.returncode != 0:
        raise BuildError(f"{shlex.join(command)}\n{done.stderr}")
