"""`m4alloc cc` and `m4alloc c++`: the system's compiler, with the program's accesses turned into events.

Where it compiles, the compiler's own instrumentation is switched on, with this project's hooks in place of a
sanitizer's; where it links, libm4monitor.so is added, and an object that starts it before the first constructor and
holds the table of properties. Everything else is the user's command line, word for word. Options of our own may stand
anywhere in it, and in M4ALLOC_CC_OPTIONS.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from m4alloc.monitor.instrument import HOOKS, SHADOW_OFFSET, instrumentation
from m4alloc.monitor.start import CompilerError, start_object
from m4alloc.monitor.words import Words

LIBRARY = Path(__file__).resolve().parents[1] / "libm4monitor.so"
COMPILERS = {"c": ("gcc", "cc", "clang"), "c++": ("g++", "c++", "clang++")}
NAMES = frozenset({"gcc", "g++", "cc", "c++", "clang", "clang++"})
"""What stands behind the target in the name of a cross compiler."""
VARIABLES = {"c": "M4ALLOC_CC", "c++": "M4ALLOC_CXX"}
INSTALL = {"c": "apt-get install gcc libc6-dev", "c++": "apt-get install g++"}
FOREIGN = frozenset(
    {"address", "hwaddress", "kernel-address", "kernel-hwaddress", "thread", "leak", "memory", "dataflow"}
)
"""Sanitizers that would be a second runtime in the process; -fsanitize=undefined is not among them."""
FOREIGN_OPTIONS = frozenset({"-fno-sanitize=all", "-static-libasan", "-static-libtsan", "-static-liblsan"})


OPTIONS = ("--hooks=", "--property=", "--compiler=", "--stack", "--uninitialised")


class Choice:
    """The options of our own: which hooks, which properties, and the compiler that does the work."""

    def __init__(self) -> None:
        self.hooks = ""
        self.properties: list[str] = []
        self.compiler = ""
        self.stack = False
        self.uninitialised = False

    def take(self, words: Sequence[str]) -> list[str]:
        """Take our own options out of the words, and return the others.

        >>> choice = Choice()
        >>> choice.take(["-c", "--hooks=thread", "a.c", "--property", "no-double-free"])
        ['-c', 'a.c']
        >>> choice.hooks, choice.properties
        ('thread', ['no-double-free'])
        """
        others: list[str] = []
        pending = iter(words)
        for word in pending:
            name, equals, value = word.partition("=")
            if word in ("--stack", "--uninitialised"):
                self.stack |= word == "--stack"
                self.uninitialised |= word == "--uninitialised"
                continue
            if name not in ("--hooks", "--property", "--compiler"):
                others.append(word)
                continue
            if not equals:
                value = next(pending, "")
            if not value:
                raise CompilerError(f"{name} wants a value: {name}={'thread' if name == '--hooks' else 'VALUE'}")
            if name == "--property":
                self.properties.append(value)
            elif name == "--compiler":
                self.compiler = value
            elif value in HOOKS:
                self.hooks = value
            else:
                raise CompilerError(f"--hooks={value}: there are {' and '.join(HOOKS)}")
        return others

    def settled_hooks(self) -> str:
        """The hooks to use. Raises CompilerError: those that were chosen cannot do what was asked for."""
        if self.stack and self.hooks == "thread":
            raise CompilerError("--stack: only --hooks=kernel-address knows what is on the stack")
        if self.uninitialised and (self.stack or self.hooks == "kernel-address"):
            raise CompilerError("--uninitialised wants --hooks=thread, which tells of every write")
        return self.hooks or ("thread" if self.uninitialised else HOOKS[0])


def command(
    argv: Sequence[str],
    language: str = "c",
    *,
    environment: Mapping[str, str] | None = None,
    library: str | os.PathLike[str] = LIBRARY,
) -> list[str]:
    """The command that does what `cc ARGV` does, and builds a program that is watched.

    language: "c" or "c++". environment: of M4ALLOC_CC, M4ALLOC_CXX (the compiler) and M4ALLOC_CC_OPTIONS; the process's
    own when not given. library: the runtime that is linked.
    Raises CompilerError: no compiler, a static or foreign target, an unknown option or property, no runtime.
    Cost: 0.2 ms; where something is linked the first time, one compiler run of 20 ms.

    >>> words = command(["-O2", "-c", "a.c"])
    >>> words[1:4], "-fsanitize=kernel-address" in words
    (['-g', '-O2', '-c'], True)
    """
    environment = os.environ if environment is None else environment
    choice = Choice()
    unknown = choice.take(_split(environment.get("M4ALLOC_CC_OPTIONS", ""), "M4ALLOC_CC_OPTIONS"))
    if unknown:
        raise CompilerError(f"M4ALLOC_CC_OPTIONS: {unknown[0]} is none of {', '.join(OPTIONS)}")
    given = choice.take(argv)
    hooks = choice.settled_hooks()
    chosen = choice.compiler or environment.get(VARIABLES[language], "")
    compiler = find(language, _split(chosen, "--compiler"), environment)
    asked = Words(given)
    if not asked.works:
        return [*compiler, *given]
    is_clang = "clang" in Path(compiler[-1]).resolve().name
    _refuse(asked, hooks == "thread" and not is_clang)
    machine = _machine(compiler[-1], asked)
    words = _without_foreign(given, asked)
    before: list[str] = []
    if asked.links:
        _require(Path(library))
        start = start_object(compiler[-1], "so" if asked.makes_library else "exe", choice.properties, environment)
        before = linked(start, Path(library))
    flags = instrumentation(hooks, machine, is_clang, asked, stack=choice.stack, uninitialised=choice.uninitialised)
    return [*compiler, "-g", *before, *words, *flags]


def run(argv: Sequence[str], language: str = "c") -> int:
    """Run what `command` says, and return its exit status."""
    import subprocess

    return subprocess.run(command(argv, language)).returncode


def linked(start: Path, library: Path) -> list[str]:
    """What a link command begins with: the start object, and the runtime in front of every library that has a malloc.

    The linker gets them past the driver, for which they are no input: names that it derives from inputs stay the same.

    >>> linked(Path("s.o"), Path("/lib/m.so"))[:4]
    ['-Xlinker', 's.o', '-Xlinker', '--push-state']
    """
    folder = str(library.absolute().parent)
    words = [str(start), "--push-state", "--no-as-needed", str(library), "--pop-state", "-rpath", folder]
    return [part for word in words for part in ("-Xlinker", word)]


def find(language: str, chosen: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The compiler, with a wrapper in front such as `ccache` when one was chosen. Raises CompilerError: there is none.

    >>> find("c", ["ccache", "no-such-cc"], {"PATH": "/usr/bin"})
    Traceback (most recent call last):
    m4alloc.monitor.start.CompilerError: the compiler 'no-such-cc' was not found: apt-get install gcc libc6-dev, ...
    """
    path = environment.get("PATH", os.defpath)
    if chosen:
        where = _which(chosen[-1], path)
        if where is None:
            raise CompilerError(
                f"the compiler {chosen[-1]!r} was not found: {INSTALL[language]}, or name another with "
                f"--compiler=COMMAND or in {VARIABLES[language]}"
            )
        return [*chosen[:-1], where]
    for name in COMPILERS[language]:
        where = _which(name, path)
        if where is not None:
            return [where]
    kind = {"c": "C", "c++": "C++"}[language]
    raise CompilerError(f"no {kind} compiler ({', '.join(COMPILERS[language])}): {INSTALL[language]}")


def _which(name: str, path: str) -> str | None:
    candidates = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in path.split(os.pathsep)]
    return next((each for each in candidates if os.access(each, os.X_OK) and not Path(each).is_dir()), None)


def _split(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise CompilerError(f"{where}={text}: {error}") from error


def _require(library: Path) -> None:
    if not library.exists():
        raise CompilerError(
            f"{library} does not exist: m4alloc was installed without its native core. Install gcc and the Python "
            "headers (apt-get install gcc python3-dev), then: pip install --force-reinstall --no-deps m4alloc, or "
            "`make build` in a checkout"
        )


def _refuse(asked: Words, by_gcc_in_thread_mode: bool) -> None:
    """Raises CompilerError where a program would come out that the runtime could not watch."""
    for option in ("-static", "--static", "-static-pie"):
        if asked.has(option) and asked.links:
            raise CompilerError(
                f"{option}: a statically linked program has no place for the runtime, which is a shared library; link "
                "dynamically (-static-libgcc and -static-libstdc++ may stay)"
            )
    for option in ("-m32", "-mx32", "-m16"):
        if asked.has(option):
            raise CompilerError(f"{option}: the runtime is 64-bit only; compile for x86_64 or aarch64")
    if by_gcc_in_thread_mode and asked.links:
        unhooked = [name for name in asked.inputs if name.endswith((".i", ".ii"))]
        unhooked += [word for word in asked.options if word.startswith(("-save-temps", "--save-temps"))]
        if unhooked and asked.compiles:
            raise CompilerError(
                f"{unhooked[0]}: with --hooks=thread compile with -c first, and link in a second command"
            )


def _machine(compiler: str, asked: Words) -> str:
    """The machine compiled for. Raises CompilerError: another one than this, or one that the runtime does not know."""
    here = os.uname().machine
    parts = Path(compiler).name.split("-")  # aarch64-linux-gnu-gcc-12
    named = next((place for place, part in enumerate(parts) if part in NAMES), 0)
    target = next((word.partition("=")[2] for word in asked.options if word.startswith("--target=")), "")
    target = target or "-".join(parts[:named])
    there = {"amd64": "x86_64", "arm64": "aarch64"}.get(target.partition("-")[0], target.partition("-")[0])
    if target and (there != here or "linux" not in target):
        raise CompilerError(f"the compiler's target is {target}; the runtime is for {here} Linux, where it was built")
    if here not in SHADOW_OFFSET:
        raise CompilerError(f"this machine is {here}; the runtime knows {' and '.join(SHADOW_OFFSET)}")
    return here


def _without_foreign(given: Sequence[str], asked: Words) -> list[str]:
    """The user's words without the sanitizers whose runtime would be a second one in the process; says so on stderr."""
    if not any(map(_is_foreign, asked.words)):
        return list(given)
    words = given if any(map(_is_foreign, given)) else asked.words  # else they stand in a response file
    dropped = [word for word in words if _is_foreign(word)]
    print(f"m4alloc: {' '.join(dropped)} left out: the monitor takes its place", file=sys.stderr)
    return [kept for word in words for kept in _kept(word)]


def _is_foreign(word: str) -> bool:
    name, _, value = word.partition("=")
    return word in FOREIGN_OPTIONS or (name == "-fsanitize" and not FOREIGN.isdisjoint(value.split(",")))


def _kept(word: str) -> list[str]:
    """What is left of a word: nothing of a sanitizer that is foreign.

    >>> _kept("-fsanitize=address,undefined"), _kept("-fsanitize=thread"), _kept("-O2")
    (['-fsanitize=undefined'], [], ['-O2'])
    """
    if not _is_foreign(word):
        return [word]
    name, _, value = word.partition("=")
    kinds = [kind for kind in value.split(",") if kind not in FOREIGN] if name == "-fsanitize" else []
    return [f"{name}={','.join(kinds)}"] if kinds else []
