"""What this machine and this installation offer to m4alloc, and how to get what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from m4alloc import _shadow
from m4alloc._build import LIBRARIES, unsupported

TOOLS = {
    "gcc": ("gcc", "builds the core and specialised libraries"),
    "clang": ("clang", "a second compiler for the core, for m4alloc cc; sanitizers; C for m4alloc superopt"),
    "llvm-mca": ("llvm", "cycles of what m4alloc superopt finds, modelled"),
    "addr2line": ("binutils", "functions and lines in the reports of m4alloc monitor"),
    "spin": ("spin", "model-checks the Promela that is exported"),
    "dot": ("graphviz", "draws automata that `m4alloc ltl translate --dot` prints"),
    "qemu-aarch64": ("qemu-user", "runs the aarch64 library on x86-64"),
    "valgrind": ("valgrind", "the test that the core runs under it"),
    "gdb": ("gdb", "a backtrace where misuse aborted the program"),
}
"""Optional system tools: command, then its Debian package and what it is for."""

EXTRAS = {
    "fast": ("numba", "llvmlite"),
    "check": ("hypothesis",),
    "tune": ("numba", "optuna", "gymnasium"),
    "superopt": ("gymnasium", "llvmlite", "numba", "z3"),
    "saturate": ("egglog",),
    "plot": ("matplotlib",),
    "arrow": ("pyarrow",),
    "notebook": ("nbclient", "ipykernel"),
    "docs": ("sphinx", "myst_parser", "furo"),
    "cluster": ("distributed",),
    "learn": ("torch", "stable_baselines3", "sb3_contrib"),
}
"""The extras of the distribution, with the modules each brings."""

CPU_FEATURES = {"x86_64": ("cx16", "pku", "la57", "user_shstk"), "aarch64": ("atomics", "mte", "bti", "paca")}
"""Features worth knowing for an allocator, as /proc/cpuinfo spells them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ok: it is there; advice: how to get it, or what follows from it; empty when nothing does."""

    group: str
    name: str
    ok: bool
    value: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings. healthy: nothing that every verb needs is missing (optional tools may be)."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.ok for finding in self.findings if finding.group == "core")

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, with the schema's name."""
        findings = [asdict(finding) for finding in self.findings]
        return {"schema": "m4alloc/1", "verb": "doctor", "healthy": self.healthy, "findings": findings}


def doctor() -> DoctorReport:
    """Look at the installation, the optional tools, the CPU and the kernel. Changes nothing.

    Cost: about 0.2 s, most of it asking the tools for their versions.

    >>> {finding.group for finding in doctor().findings} == {"core", "extras", "tools", "cpu", "kernel"}
    True
    """
    return DoctorReport((*_core(), *_extras(), *_tools(), *_cpu(), *_kernel()))


def _core() -> Iterator[Finding]:
    from m4alloc import __version__, _backend

    reason = unsupported()
    build = "pip install --force-reinstall --no-deps m4alloc, or `make build` in a checkout"
    yield Finding("core", "m4alloc", True, f"{__version__} in {Path(__file__).parent}")
    yield Finding("core", "python", True, f"{platform.python_version()} in {sys.prefix}")
    yield Finding("core", "machine", reason is None, f"{sys.platform} {platform.machine()}", reason or "")
    pure = "" if _backend.backend == "fast" else reason or f"{_backend.reason}; {build}"
    yield Finding("core", "backend", _backend.backend == "fast", _backend.backend, pure)
    for library in LIBRARIES.values():
        path = Path(__file__).parent / library
        if path.exists():
            yield Finding("core", library, True, str(path))
        else:
            yield Finding("core", library, False, "not built", reason or build)
    try:
        _shadow.require_ours()
        yield Finding("core", "spec, capability", True, "ours")
    except _shadow.ShadowedError as error:
        yield Finding("core", "spec, capability", False, "shadowed", str(error))


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        value = f"without {', '.join(missing)}" if missing else ", ".join(f"{m} {_version(m)}" for m in modules)
        yield Finding("extras", extra, not missing, value, f"pip install 'm4alloc[{extra}]'" if missing else "")


def _version(module: str) -> str:
    names = _distributions().get(module) or [module]
    return metadata.version(names[0])


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Module to the distributions that bring it; every installed file list is read for this, once."""
    return metadata.packages_distributions()


def _tools() -> Iterator[Finding]:
    header = Path(sysconfig.get_path("include")) / "Python.h"
    yield Finding("tools", "Python.h", header.exists(), str(header), "" if header.exists() else _apt("python3-dev"))
    for command, (package, purpose) in TOOLS.items():
        path = shutil.which(command)
        if path is None:
            yield Finding("tools", command, False, "not found", f"{purpose}: {_apt(package)}")
            continue
        option = "-V" if command == "spin" else "--version"
        try:
            shown = subprocess.run([path, option], capture_output=True, text=True, timeout=10).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            shown = f"does not tell its version: {error}"
        yield Finding("tools", command, True, (shown.splitlines() or ["unknown version"])[0])


def _apt(package: str) -> str:
    return f"apt-get install {package}"


def _cpu() -> Iterator[Finding]:
    text = _read("/proc/cpuinfo")
    model = re.search(r"^(?:model name|CPU part)\s*:\s*(.*)$", text, re.MULTILINE)
    yield Finding("cpu", "model", True, model[1] if model else platform.machine())
    yield Finding("cpu", "cores", True, str(len(os.sched_getaffinity(0))))
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    present = set(listed[1].split()) if listed else set()
    for feature in CPU_FEATURES.get(platform.machine(), ()):
        yield Finding("cpu", feature, feature in present, "yes" if feature in present else "no")
    yield Finding("cpu", "page size", True, str(os.sysconf("SC_PAGESIZE")))


def _kernel() -> Iterator[Finding]:
    release = platform.release()
    numbers = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    yield Finding("kernel", "release", True, release)
    if numbers >= (6, 13):
        yield Finding("kernel", "MADV_GUARD_INSTALL", True, "yes")
    else:
        advice = "guards are PROT_NONE pages, one mapping each; Linux 6.13 has cheaper ones"
        yield Finding("kernel", "MADV_GUARD_INSTALL", False, "no", advice)
    mode = _read("/proc/sys/vm/overcommit_memory")
    note = {"1": "every commitment succeeds: exhaustion is a kill, not ENOMEM", "2": "strict: commitments are counted"}
    yield Finding("kernel", "vm.overcommit_memory", True, mode, note.get(mode, ""))
    maps = _read("/proc/sys/vm/max_map_count")
    enough = not maps.isdigit() or int(maps) >= 65530
    yield Finding("kernel", "vm.max_map_count", enough, maps, "" if enough else "sysctl vm.max_map_count=65530")
    pages = _read("/sys/kernel/mm/transparent_hugepage/enabled")
    chosen = re.search(r"\[(\w+)\]", pages)
    yield Finding("kernel", "transparent huge pages", True, chosen[1] if chosen else pages)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"
