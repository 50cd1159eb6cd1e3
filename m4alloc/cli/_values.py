"""What the options of every verb take: times, sizes, counts, and lists of them, each read and refused in one way."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal
from pathlib import Path

from m4alloc.cli import told

TIMES = {"ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
COUNTS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
LONGEST = 1e9
"""Seconds that a time has at most: clocks and timers of the system take them, and nobody waits so long."""
NUMBER = re.compile(r"(\d+(?:\.\d*)?(?:e\d{1,2})?) ?([A-Za-z]*)")


def time_of(text: str) -> float:
    """A time in seconds; a number without a unit is one of seconds.

    >>> time_of("90"), time_of("1.5m"), time_of("2h"), time_of("250ms")
    (90.0, 90.0, 7200.0, 0.25)
    >>> time_of("1 day")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: '1 day' is no time; 60, 60s, 1.5m, 2h and 250ms are
    """
    match = NUMBER.fullmatch(text.strip())
    if match is None or match[2] not in TIMES:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; 60, 60s, 1.5m, 2h and 250ms are")
    seconds = float(match[1]) * TIMES[match[2]]
    if seconds > LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too long; {LONGEST:g} seconds, 31 years, at most")
    return seconds


def size_of(text: str) -> int:
    """A number of bytes. k, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024; a B may follow.

    K is refused: half of all tools mean 1000 by it, and the other half 1024.

    >>> size_of("64Ki"), size_of("64KiB"), size_of("1.5M"), size_of("9007199254740993")
    (65536, 65536, 1500000, 9007199254740993)
    >>> size_of("64K")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: '64K' is no number of bytes; 64k is 64,000 and 64Ki is 65,536
    """
    match = NUMBER.fullmatch(text.strip())
    unit = "" if match is None else match[2].removesuffix("B")
    if match is not None and unit == "K":
        value = float(match[1])
        both = f"{match[1]}k is {value * 1000:,.0f} and {match[1]}Ki is {value * 1024:,.0f}"
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes; {both}")
    if match is None or unit not in SIZES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes; 1000000, 64Ki, 500M and 1.5G are")
    return int(Decimal(match[1]) * SIZES[unit])


def count_of(text: str) -> int:
    """A whole number, with k, M or G for thousands; whoever takes it says what is too little or too much.

    >>> count_of("4.1M"), count_of("1e6"), count_of("4096"), count_of("-1")
    (4100000, 1000000, 4096, -1)
    >>> count_of("1.5")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: '1.5' is no whole number; 4096, 64k, 2M and 1e6 are
    """
    match = NUMBER.fullmatch(text.strip().removeprefix("-"))
    value = None if match is None or match[2] not in COUNTS else Decimal(match[1]) * COUNTS[match[2]]
    if value is None or value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; 4096, 64k, 2M and 1e6 are")
    return -int(value) if text.strip().startswith("-") else int(value)


def counts_of(text: str) -> list[int]:
    """Whole numbers joined by commas; none is an empty list.

    >>> counts_of("1,2,4"), counts_of("1e4,1M"), counts_of("")
    ([1, 2, 4], [10000, 1000000], [])
    """
    return [count_of(word) for word in text.split(",")] if text else []


def names_of(text: str) -> list[str]:
    """Names joined by commas.

    >>> names_of("glibc,m4alloc"), names_of("")
    (['glibc', 'm4alloc'], [])
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def told_of_recording(error: Exception, path: str | None) -> str:
    """What went wrong with a recording; where it is a folder, what is wanted instead.

    >>> told_of_recording(IsADirectoryError(21, "Is a directory", "/usr"), "/usr")
    '/usr is a folder; a recording in it is wanted: its index, or one of its traces'
    """
    if isinstance(error, IsADirectoryError) and path is not None and Path(path).is_dir():
        return f"{path} is a folder; a recording in it is wanted: its index, or one of its traces"
    return told(error)


def place_of(text: str) -> str | None:
    """The path of what is written; - is none.

    >>> place_of("findings"), place_of("-")
    ('findings', None)
    """
    return None if text == "-" else text


def needed_place_of(text: str) -> str:
    """The path of what is written by a verb that does nothing else, so that - will not do.

    >>> needed_place_of("-")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: it has to go somewhere: the name of a file or folder is wanted, and not -
    """
    if text == "-":
        raise argparse.ArgumentTypeError("it has to go somewhere: the name of a file or folder is wanted, and not -")
    return text
