"""Run an unmodified program on the core, by preloading libm4alloc.so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from m4alloc.lib import lib
from m4alloc.program import locate

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy


def run(argv: Sequence[str], *, strategy: Strategy | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run the program on the core and return its status; 128 + n when signal n killed it.

    strategy: how the core places and checks; None is the default strategy.
    env: the environment it starts from; None is this process's.
    Raises ProgramError (see m4alloc.program.locate); LibraryError: there is no native core here.
    """
    program = locate(argv)
    status = subprocess.run(program.argv, executable=program.path, env=environment(strategy, env)).returncode
    return status if status >= 0 else 128 - status


def environment(strategy: Strategy | None = None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that makes a program run on the core: our library in front of what is preloaded already."""
    result = dict(os.environ if env is None else env)
    result["LD_PRELOAD"] = preload(lib(), result.get("LD_PRELOAD", ""))
    if strategy is not None:
        result["M4ALLOC_STRATEGY"] = strategy.to_environment()
    return result


def preload(library: Path, others: str) -> str:
    """The value of LD_PRELOAD with `library` first; the loader splits it at colons and spaces.

    >>> preload(Path("/a/libm4alloc.so"), "/b/other.so")
    '/a/libm4alloc.so:/b/other.so'
    """
    kept = [other for other in others.replace(":", " ").split() if other != str(library)]
    return ":".join([str(library), *kept])
