"""Small programs, built by `m4alloc cc`, to be watched."""

from __future__ import annotations

import subprocess
from pathlib import Path

from m4alloc.monitor.compiler import command

HEAD = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <m4alloc_label.h>
static char *volatile p, *volatile q;
"""
"""What every program begins with; p and q are so that no compiler sees what becomes of a block."""


def build(folder: Path, body: str, *, before: str = "", name: str = "program", rebuilt: bool = True) -> str:
    """The path of a program whose main is `body`; not rebuilt: as plain gcc makes it."""
    from m4alloc.lib import include

    source, target = folder / f"{name}.c", folder / name
    source.write_text(f"{HEAD}{before}\nint main(int argc, char **argv)\n{{\n{body}\n}}\n")
    words = ["-O1", "-g", "-w", "-pthread", f"-I{include()}", str(source), "-o", str(target)]
    subprocess.run(command(words) if rebuilt else ["gcc", "-fno-builtin", *words], check=True)
    return str(target)
