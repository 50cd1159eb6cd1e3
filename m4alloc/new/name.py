"""Which names a new allocator may have: its files, its Python module and its C library are called by it."""

from __future__ import annotations

import builtins
import importlib.machinery
import keyword
import re
import shlex
import sys
import unicodedata

from m4alloc.check.adapter_object import NAMES

WANTED = "a name such as pool or my_heap is wanted: small letters, digits and underscores, a letter first"
LONGEST = 24
NOT_OURS = frozenset({"conftest", "test", "tests"})
"""Names that pytest, or a folder of tests, takes."""


class NameRefusedError(ValueError):
    """An allocator cannot have this name; the message says why, and what name would do."""


def class_name(name: str) -> str:
    """The name of the Python class.

    >>> class_name("my_heap")
    'MyHeap'
    """
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def check_name(name: str) -> None:
    """Refuse a name that is no module's, or another module's. Raises NameRefusedError.

    >>> check_name("pool")
    >>> check_name("for")
    Traceback (most recent call last):
    m4alloc.new.name.NameRefusedError: 'for' is a word of the Python language; try for_heap
    """
    better = suggestion(name)
    if "/" in name.rstrip("/"):
        short = suggestion(name.rstrip("/").rpartition("/")[2]) or "pool"
        raise NameRefusedError(f"{name!r} is a path, and the folder is an option; try {short} -o {shlex.quote(name)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise NameRefusedError(f"{name!r}: {WANTED}" + (f"; try {better}" if better else ""))
    if len(name) > LONGEST:
        raise NameRefusedError(f"{name!r} has {len(name)} letters; {LONGEST} at most are wanted")
    reason = taken(name)
    if reason:
        raise NameRefusedError(f"{name!r} is {reason}" + (f"; try {better}" if better else ""))


def taken(name: str) -> str:
    """What else has the name, in words; empty when nothing has."""
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "a word of the Python language"
    if name in sys.stdlib_module_names:
        return "a module of Python's standard library, which `import` would then no longer find"
    if name in NOT_OURS or name.startswith("test_"):
        return "a name by which pytest finds its own files"
    if any(name in names for names in NAMES.values()):
        return "a function of the malloc family, and its header would take the place of the system's"
    if keyword.iskeyword(class_name(name)) or hasattr(builtins, class_name(name)):
        return f"a name whose class, {class_name(name)}, is part of the Python language"
    if is_installed(name):
        return "a module that is installed here, which `import` would then no longer find"
    return ""


def is_installed(name: str) -> bool:
    """Whether `import name` finds a module outside the current folder. A folder without __init__.py is no module."""
    here = {"", "."}
    path = [folder for folder in sys.path if folder not in here]
    try:
        found = importlib.machinery.PathFinder.find_spec(name, path)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None


def suggestion(name: str) -> str:
    """A name like it that would do, or "" where none comes to mind.

    >>> suggestion("My-Heap"), suggestion("2heap"), suggestion("time"), suggestion("höhle"), suggestion("!")
    ('my_heap', 'heap2', 'time_heap', 'hohle', '')
    """
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if plain.startswith("test_"):
        plain = plain.removeprefix("test_")
    first = re.match(r"\d+", plain)
    if first:
        plain = plain[first.end() :].lstrip("_") + first[0]
    if not plain or not plain[0].isalpha() or len(plain) > LONGEST - len("_heap"):
        return ""
    if not taken(plain):
        return plain
    return "" if taken(f"{plain}_heap") else f"{plain}_heap"
