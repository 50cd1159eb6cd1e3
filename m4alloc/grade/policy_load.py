"""Find the allocator in a student's Python file: the class that has malloc and free, or the one that is named."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLE = "`m4alloc new NAME` writes one to begin with"


class PolicyError(ValueError):
    """There is no allocator in the file; the message says what is missing."""


def load(path: str, wanted: str = "") -> Callable[[], Any]:
    """What makes a fresh allocator: the file is run, so this belongs in a child.

    wanted: the name of the class, or of a function that makes one; "" for the only class with malloc and free.
    Raises PolicyError, and whatever the file raises.
    """
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))
    specification = importlib.util.spec_from_file_location(file.stem, file)
    if specification is None or specification.loader is None:
        raise PolicyError(f"{path} cannot be imported: a file of Python, NAME.py, is wanted")
    module = importlib.util.module_from_spec(specification)
    sys.modules[file.stem] = module
    specification.loader.exec_module(module)
    if wanted:
        made: Any = getattr(module, wanted, None)
        if not callable(made):
            raise PolicyError(f"{path} has no class {wanted}; it has {listed(module) or 'none'}")
        return tried(made, path, wanted)
    found = [one for one in classes(module) if not lacks(one)]
    if len(found) > 1:
        names = ", ".join(one.__name__ for one in found)
        raise PolicyError(f"{path} has several allocators: {names}; say which: {path}:{found[0].__name__}")
    if not found:
        raise PolicyError(nothing_found(path, module))
    return tried(found[0], path, found[0].__name__)


def classes(module: Any) -> list[type]:
    """The classes that the module defines itself."""
    return [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]


def lacks(one: Any) -> list[str]:
    """Which of malloc and free it has not."""
    return [name for name in ("malloc", "free") if not callable(getattr(one, name, None))]


def listed(module: Any) -> str:
    """The module's classes by name."""
    return ", ".join(one.__name__ for one in classes(module))


def nothing_found(path: str, module: Any) -> str:
    """Why there is no allocator: what comes nearest, and what it lacks."""
    wanted = "a class with malloc(self, size) and free(self, address)"
    if not lacks(module):
        return f"{path} has the functions malloc and free; put them into a class, so that each trace gets a fresh heap"
    near = [one for one in classes(module) if len(lacks(one)) == 1]
    if near:
        return f"{path}: class {near[0].__name__} has no {lacks(near[0])[0]}; {wanted} is wanted"
    return f"{path} has no {wanted.removeprefix('a ')}; {EXAMPLE}"


def tried(made: Callable[[], Any], path: str, name: str) -> Callable[[], Any]:
    """The same, once it has been seen to make an allocator. Raises PolicyError."""
    parameters = inspect.signature(made).parameters.values()
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    if needed:
        raise PolicyError(
            f"{path}: {name}() needs {', '.join(needed)}; give defaults, so that each trace gets a fresh heap"
        )
    absent = lacks(made())
    if absent:
        raise PolicyError(f"{path}: what {name}() makes has no {' and no '.join(absent)}")
    return made
