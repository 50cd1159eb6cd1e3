"""The allocators a benchmark compares, and the machine it ran on."""

from __future__ import annotations

import datetime
import math
import os
import platform
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from m4alloc.lib import lib

FOLDERS = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
DEBIAN = {"mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"), "jemalloc": ("libjemalloc.so.2", "libjemalloc2")}
"""Name to file and package."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An allocator by the name it has in the tables, and what LD_PRELOAD gets (empty: the system's own)."""

    name: str
    preload: str

    def environment(self) -> dict[str, str]:
        """This process's environment with the allocator preloaded, and nothing else that changes a malloc."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LD_", "M4ALLOC_", "MALLOC_"))
        }
        return {**kept, "LC_ALL": "C", **({"LD_PRELOAD": self.preload} if self.preload else {})}


def peers(extra: Iterable[str] = ()) -> tuple[list[Peer], list[str]]:
    """The allocators to compare, glibc first, and the lines that install those of Debian's that are missing.

    extra: further ones as NAME=PATH. Raises ValueError: it is not that, or no such file exists.
    """
    found, missing = [Peer("glibc", ""), Peer("m4alloc", str(lib()))], []
    for name, (file, package) in DEBIAN.items():
        paths = sorted(path for folder in FOLDERS for path in Path("/").glob(f"{folder[1:]}/{file}"))
        if paths:
            found.append(Peer(name, str(paths[0].resolve())))
        else:
            missing.append(f"{name} is not installed: apt install {package}")
    for word in extra:
        name, equals, path = word.partition("=")
        if not equals or not Path(path).is_file():
            raise ValueError(f"--library {word}: want NAME=PATH of a library that exists")
        found.append(Peer(name, str(Path(path).resolve())))
    return found, missing


def interleaved(among: Sequence[Peer], rounds: int, seed: int) -> Iterator[tuple[int, Peer]]:
    """Each round runs every allocator once, in an order of its own, so that a drift of the machine hits all alike."""
    order = random.Random(seed)
    for number in range(rounds):
        yield from ((number, peer) for peer in order.sample(among, len(among)))


def geometric_mean(values: Iterable[float]) -> float:
    """
    >>> geometric_mean([1, 4])
    2.0
    """
    logarithms = [math.log(value) for value in values]
    return math.exp(math.fsum(logarithms) / len(logarithms))


def machine() -> dict[str, str | int]:
    """What a reader of a result must know about where it comes from."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
