"""The command line of GCC and Clang, as far as it has to be understood to add to it.

What is looked for: whether it preprocesses, compiles or links, from which files, and whether a program or a library
comes of it. An option that is not known is one word; those that take the next word along are listed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

TAKES_NEXT = frozenset(
    (
        *("-o", "-x", "-I", "-L", "-D", "-U", "-B", "-l", "-u", "-T", "-z", "-e", "-h", "-R", "-G", "-A", "-include"),
        *("-imacros", "-isystem", "-idirafter", "-iquote", "-iprefix", "-iwithprefix", "-iwithprefixbefore"),
        *("-isysroot", "-imultilib", "-iframework", "-MF", "-MT", "-MQ", "-MJ", "-Xlinker", "-Xassembler"),
        *("-Xpreprocessor", "-Xclang", "-mllvm", "-target", "--target", "-arch", "--param", "--sysroot", "-aux-info"),
        *("-dumpbase", "-dumpbase-ext", "-dumpdir", "-wrapper", "-specs", "-rpath", "-framework", "-Tbss", "-Tdata"),
        *("-Ttext", "-cxx-isystem", "-ivfsoverlay", "-gcc-toolchain", "--output", "--include", "--language"),
    )
)
STOPS_BEFORE_LINKING = frozenset(
    ("-E", "-M", "-MM", "-c", "-S", "-fsyntax-only", "--preprocess", "--compile", "--assemble", "-emit-ast")
)
NEVER_LINKED = frozenset(("-r", "--relocatable", "-Wl,-r", "-Wl,--relocatable"))
LINKED_ONLY = (".o", ".a", ".so", ".lo", ".obj", ".ld", ".lds")
DEPTH = 16
"""How many response files may name one another."""


class Words:
    """What the words of a compiler's command line ask for.

    >>> asked = Words(["-O2", "-c", "a.c", "-o", "a.o"])
    >>> asked.links, asked.inputs
    (False, ['a.c'])
    >>> Words(["-shared", "-fPIC", "a.c", "b.o", "-lm"]).makes_library
    True
    >>> Words(["--version"]).works
    False
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = expanded(words)
        self.inputs: list[str] = []
        self.languages: set[str] = set()
        self.options: list[str] = []
        self.libraries = False
        pending = iter(self.words)
        for word in pending:
            if word == "-" or not word.startswith("-"):
                self.inputs.append(word)
                continue
            self.libraries |= word.startswith("-l")
            self.options.append(word)
            if word in TAKES_NEXT:
                value = next(pending, None)
                if word in ("-x", "--language") and value is not None:
                    self.languages.add(value)
                elif word in ("-target", "--target") and value is not None:
                    self.options[-1] = f"--target={value}"
                elif word == "-Xlinker" and value is not None:
                    self.options[-1] = f"-Wl,{value}"
            elif word.startswith("-x"):
                self.languages.add(word[2:])
        self._options = frozenset(self.options)

    def has(self, *options: str) -> bool:
        """Whether one of these options is among the words, as a word of its own."""
        return not self._options.isdisjoint(options)

    @property
    def works(self) -> bool:
        """Whether anything is compiled or linked: `cc --version` and `cc -print-libgcc-file-name` do neither."""
        return bool(self.inputs) or self.libraries

    @property
    def links(self) -> bool:
        """Whether a program or a library comes of it."""
        return self.works and self._options.isdisjoint(STOPS_BEFORE_LINKING) and not self.joins

    @property
    def joins(self) -> bool:
        """Whether objects are linked into another object (`-r`)."""
        return not self._options.isdisjoint(NEVER_LINKED)

    @property
    def compiles(self) -> bool:
        """Whether one of the files is a source, which is compiled."""
        return any(not is_linked_only(name) for name in self.inputs)

    @property
    def makes_library(self) -> bool:
        """Whether what is linked is a shared library."""
        return self.has("-shared", "--shared", "-Wl,-shared", "-Wl,--shared", "-Wl,-Bshareable")


def is_linked_only(name: str) -> bool:
    """Whether a file goes to the linker as it is.

    >>> [is_linked_only(name) for name in ("a.c", "a.o", "libz.so.1.2", "-")]
    [False, True, True, False]
    """
    return name.endswith(LINKED_ONLY) or ".so." in Path(name).name


def expanded(words: Sequence[str]) -> list[str]:
    """The words with each response file, `@FILE`, replaced by the words in it; one that cannot be read stays a word."""
    return list(_expand(words, DEPTH))


def _expand(words: Sequence[str], depth: int) -> Iterator[str]:
    for word in words:
        content = _content(word[1:]) if word.startswith("@") and depth else None
        if content is None:
            yield word
        else:
            yield from _expand(content, depth - 1)


def _content(name: str) -> list[str] | None:
    try:
        return shlex.split(Path(name).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return None
