"""Where the native core cannot be imported, `import m4alloc` works all the same, on the reference allocator."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_CORE = "import sys; sys.modules['m4alloc._fast'] = None\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", WITHOUT_CORE + program], capture_output=True, text=True, check=True
    )


def test_the_pure_backend_takes_over_and_says_so_once() -> None:
    done = run(
        "import m4alloc\n"
        "with m4alloc.Arena(1 << 20) as arena, m4alloc.Arena(1 << 20) as other:\n"
        "    block = arena.calloc(4, 6)\n"
        "    memoryview(block)[:2] = b'ok'\n"
        "    print(m4alloc.backend, bytes(block)[:3], other.malloc(8))\n"
        "print(m4alloc.usable_size(m4alloc.malloc(100)))\n"
    )
    assert done.stdout.splitlines() == ["pure b'ok\\x00' <Block of 8 bytes at 0x100000000>", "112"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert "m4alloc runs on the reference allocator in Python" in done.stderr


def test_importing_the_package_alone_warns_of_nothing() -> None:
    done = run("import m4alloc; print(m4alloc.backend)")
    assert (done.stdout, done.stderr) == ("pure\n", "")


def test_misuse_is_the_specifications_on_the_pure_backend() -> None:
    done = run(
        "import m4alloc\n"
        "arena = m4alloc.Arena(1 << 20)\n"
        "block = arena.malloc(1)\n"
        "arena.free(block)\n"
        "try: arena.free(block)\n"
        "except m4alloc.Misuse as misuse: print(misuse)\n"
        "import spec.error; print(spec.error.Misuse is m4alloc.Misuse)\n"
    )
    assert done.stdout.splitlines() == ["double-free: block of 1 bytes is dead", "True"]
