"""The allocators that are compared, the order in which they run, and the machine."""

from __future__ import annotations

import datetime
import math
import os
import platform
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m4alloc.lib import LibraryError, lib
from m4alloc.strategy import PRESETS, Strategy

FOLDERS = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
DEBIAN = {
    "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
"""Name to file and package."""
GLIBC, OURS, DEFAULT = "glibc", "m4alloc", "default"
FOREIGN = ("LD_PRELOAD", "LD_AUDIT", "M4ALLOC_", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "GLIBC_TUNABLES")
"""How the names of variables begin that would change what is measured."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An allocator by the name it has in the tables.

    preload: what LD_PRELOAD gets; empty: the system's own. strategy: what M4ALLOC_STRATEGY gets. settings: further
    variables of the environment and their values, such as MALLOC_CONF.
    """

    name: str
    preload: str
    strategy: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    def variables(self) -> dict[str, str]:
        """What a program's environment needs so that it runs on this allocator.

        >>> Peer("m4alloc:hardened", "/lib/libm4alloc.so", "guards=1").variables()
        {'LD_PRELOAD': '/lib/libm4alloc.so', 'M4ALLOC_STRATEGY': 'guards=1'}
        >>> Peer("glibc:tuned", "", settings=(("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"),)).variables()
        {'GLIBC_TUNABLES': 'glibc.malloc.arena_max=1'}
        """
        named = {"LD_PRELOAD": self.preload, "M4ALLOC_STRATEGY": self.strategy, **dict(self.settings)}
        return {name: value for name, value in named.items() if value}

    def environment(self) -> dict[str, str]:
        """This process's environment with the allocator preloaded, and nothing else that changes a malloc."""
        return {**bare_environment(), **self.variables()}


def bare_environment() -> dict[str, str]:
    """This process's environment without what changes a malloc."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def presets() -> dict[str, Strategy]:
    """The presets that Strategy offers, by name, the default first.

    >>> list(presets())
    ['default', 'hardened', 'sampled']
    """
    return {name: Strategy.named(name) for name in PRESETS}


def peers(
    extra: Iterable[str] = (),
    *,
    strategies: Mapping[str, Strategy] | None = None,
    option: str = "--library",
) -> tuple[list[Peer], list[str]]:
    """The allocators to compare, glibc first, and the lines that install those that are missing.

    extra: further ones, NAME=PATH or a path, named in messages as values of `option`. strategies: those of our core by
    name; None is the default alone. Raises ValueError: no such file exists, or a name occurs twice.
    """
    found, missing = [Peer(GLIBC, "")], []
    try:
        library = str(lib())
    except LibraryError as error:
        missing.append(f"m4alloc's own core is left out: {error}")
    else:
        chosen = {DEFAULT: Strategy()} if strategies is None else strategies
        found += [
            Peer(OURS if name == DEFAULT else f"{OURS}:{name}", library, one.to_environment())
            for name, one in chosen.items()
        ]
    for name, (file, package) in DEBIAN.items():
        paths = sorted(path for folder in FOLDERS for path in Path("/").glob(f"{folder[1:]}/{file}"))
        if paths:
            found.append(Peer(name, str(paths[0].resolve())))
        else:
            missing.append(f"{name} is not installed: apt install {package}")
    for word in extra:
        name, equals, path = word.partition("=")
        if not equals:
            name, path = named_after(word), word
        if not name or not Path(path).is_file():
            raise ValueError(f"{option} {word}: want NAME=PATH of a library that exists")
        if name in {peer.name for peer in found}:
            raise ValueError(f"{option} {word}: there is a {name} already; give it another name, as in my{name}={path}")
        found.append(Peer(name, str(Path(path).resolve())))
    return found, missing


def named_after(path: str) -> str:
    """The name of an allocator of which only the path is known.

    >>> named_after("./build/libmine.so"), named_after("/usr/lib/libscudo.so.1")
    ('mine', 'scudo')
    """
    return Path(path).name.partition(".so")[0].removeprefix("lib")


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
