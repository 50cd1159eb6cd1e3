"""The object that is linked into everything that `m4alloc cc` links: starts the runtime, and holds the table.

In a program it is called before every constructor, those of its libraries too; in a shared library before the library's
own. m4alloc_program is there for the very first malloc, which is earlier (monitor_start.h). The object is compiled once
for each compiler and each table, into a cache.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

SECTIONS = {"exe": ".preinit_array", "so": ".init_array.00000"}
"""Where the start's address stands, in a program and in a shared library."""
SOURCE = r"""
#include <stddef.h>
#include <stdint.h>
extern void m4alloc_monitored(const void *table, size_t size);
#ifdef TABLE
__asm__(".section .rodata\n.balign 16\nm4alloc_table_of_this:\n.incbin \"" TABLE "\"\n.previous\n");
extern const char m4alloc_table_of_this[] __attribute__((visibility("hidden")));
#else
#define m4alloc_table_of_this NULL
#define SIZE 0
#endif
struct m4alloc_program { uint64_t version, size; const void *table; };
extern const struct m4alloc_program m4alloc_program;
const struct m4alloc_program m4alloc_program __attribute__((weak)) = {1, SIZE, m4alloc_table_of_this};
extern char **environ;
static void start(int words, char **word, char **environment)
{
    (void)words, (void)word;
    if (environ == NULL) /* before its own constructor, the C library's getenv finds nothing */
        environ = environment;
    m4alloc_monitored(m4alloc_table_of_this, SIZE);
}
static void (*const at_start)(int, char **, char **) __attribute__((used, section(SECTION))) = start;
"""


class CompilerError(Exception):
    """The command cannot be carried out: what was wrong, and what would be right."""


def start_object(compiler: str, kind: str, properties: Sequence[str], environment: Mapping[str, str]) -> Path:
    """The path of the object, compiled when it is not in the cache yet.

    compiler: of C or C++. kind: "exe" or "so". properties: as --property takes them; their table is in the object.
    environment: of XDG_CACHE_HOME, HOME and TMPDIR, which say where the cache is.
    Raises CompilerError: an unknown or malformed property, or what the compiler said.
    Cost: none in the cache; else 20 ms, and what the properties' automata cost.
    """
    table = table_of(properties) if properties else b""
    resolved = Path(compiler).resolve()
    key = zlib.crc32(f"{SOURCE}\0{resolved}\0{resolved.stat().st_mtime_ns}".encode())
    of_table = f"-{zlib.crc32(table):08x}-{len(table)}" if table else ""
    target = cache(environment) / f"start-{kind}-{key:08x}{of_table}.o"
    if not target.exists():
        _compile(compiler, kind, table, target)
    return target


def table_of(properties: Sequence[str]) -> bytes:
    """The compiled table of properties, named as `--property` names them: of the library, or a text.

    Raises CompilerError: an unknown name, or a formula that is malformed or has a proposition that nobody raises.
    """
    from m4alloc import _shadow

    _shadow.require_ours()
    from m4alloc.monitor.table import compile_table
    from spec.properties import find

    try:
        return bytes(compile_table([find(each) for each in properties]))
    except ValueError as error:
        raise CompilerError(f"--property: {error}") from error


def cache(environment: Mapping[str, str]) -> Path:
    """A folder of the user's own that stays; without a home, one in the folder for temporary files.

    Raises CompilerError: neither can be written.
    """
    home = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME') or '/nonexistent'}/.cache"
    temporary = environment.get("TMPDIR") or "/tmp"
    for folder in (Path(home, "m4alloc"), Path(temporary, f"m4alloc-{os.getuid()}")):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
                return folder
        except OSError:
            continue
    raise CompilerError(f"the start object can be put neither into {home} nor into {temporary}: both cannot be written")


def _compile(compiler: str, kind: str, table: bytes, target: Path) -> None:
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch, "start.o")
        defines = [f'-DSECTION="{SECTIONS[kind]}"']
        if table:
            Path(scratch, "table").write_bytes(table)
            defines += [f'-DTABLE="{scratch}/table"', f"-DSIZE={len(table)}"]
        words = [compiler, "-x", "c", "-O2", "-fPIC", "-c", *defines, "-", "-o", str(fresh)]
        done = subprocess.run(words, input=SOURCE, capture_output=True, text=True)
        if done.returncode != 0:
            raise CompilerError(f"the start object does not compile with {compiler}:\n{done.stderr}")
        fresh.replace(target)
