"""The compiler's options that turn accesses of memory into events, for GCC and Clang.

Two kinds of hooks. *kernel-address*: the compiler looks at the shadow itself and calls only where it is not open.
*thread*: every access is a call; what comes of it is the runtime's alone, and nothing is left out. In the first, an
access that follows another of the same bytes with no call between them is no event of its own, and of a struct that is
copied by assignment GCC looks at the first and the last byte.
"""

from __future__ import annotations

from m4alloc.monitor.words import Words

HOOKS = ("kernel-address", "thread")
"""How accesses become events; the first is the default."""
SHADOW_OFFSET = {"x86_64": 0x7FFF8000, "aarch64": 0x1000000000}
"""Where the shadow begins, by machine; the same is in _monitor.h."""
NO_THRESHOLD = 1_000_000_000
"""Accesses in a function above which the compiler would call for each, instead of looking at the shadow itself."""

KEPT_CALLS = (
    *("malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign", "memalign", "valloc", "pvalloc"),
    *("strdup", "strndup"),
)
"""Functions whose calls are left as they stand: compilers drop a pair of malloc and free, and both are events."""
EXPANDED_CALLS = ("mempcpy", "stpcpy", "bcopy", "bzero", "bcmp", "memcmp", "strcmp", "strncmp")
"""Functions that compilers expand to moves after they have placed the hooks, even in kernel-address mode."""
EXPANDED_WITHOUT_HOOKS = (
    *(
        "memcpy",
        "memmove",
        "memset",
        "memchr",
        "strcpy",
        "strncpy",
        "stpncpy",
        "strcat",
        "strncat",
        "strlen",
        "strnlen",
    ),
    *("strcasecmp", "strncasecmp", "strchr", "strrchr", "strstr", "strspn", "strcspn", "strpbrk", "index", "rindex"),
    *("sprintf", "snprintf", "vsprintf", "vsnprintf"),
)
"""The same in thread mode, where GCC does not know that somebody waits for these calls."""
STACK_PROTECTORS = ("-fstack-protector", "-fno-stack-protector")
"""With one of these the user has decided; else a function that returns says whether an array in it was overrun."""
FRAMES = ("-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer")


def instrumentation(
    hooks: str,
    machine: str,
    is_clang: bool,
    asked: Words,
    *,
    stack: bool = False,
    uninitialised: bool = False,
) -> list[str]:
    """The options for one command.

    stack: arrays on the stack get bytes around them that nobody may access (kernel-address only). uninitialised:
    comparisons are told, too.

    >>> instrumentation("thread", "x86_64", False, Words(["-c", "a.c"]))[2]
    '-fsanitize=thread'
    >>> instrumentation("thread", "x86_64", False, Words(["a.c"]))[2]
    '-Wp,-fsanitize=thread,--param=tsan-instrument-func-entry-exit=0'
    """
    kept: tuple[str, ...] = (*KEPT_CALLS, *EXPANDED_CALLS)
    if is_clang:
        flags = _clang_thread() if hooks == "thread" else _clang_kernel_address(machine, stack)
    elif hooks == "thread":
        flags = _gcc_thread(asked.links)
        kept += EXPANDED_WITHOUT_HOOKS
    else:
        flags = _gcc_kernel_address(machine, stack)
    if uninitialised:
        flags += _clang_comparisons() if is_clang else ["-fsanitize-coverage=trace-cmp"]
    if not any(option.startswith(STACK_PROTECTORS) for option in asked.options):
        flags.append("-fstack-protector-strong")
    return [*FRAMES, *flags, *(f"-fno-builtin-{name}" for name in kept)]


def _clang_comparisons() -> list[str]:
    # Past the driver, which would link a runtime. Clang tells of comparisons only where it tells of functions as well.
    settings = ("type=1", "trace-pc-guard", "trace-cmp")
    return [word for setting in settings for word in ("-Xclang", f"-fsanitize-coverage-{setting}")]


def _gcc_thread(links: bool) -> list[str]:
    own = ["-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0"]
    if links:  # the driver would link ThreadSanitizer's runtime; what goes past it to the compiler proper does not
        own = [f"-Wp,{','.join(own)}"]
    # Not fortified: calls that the C library's headers check would be expanded, and the runtime checks them anyhow.
    return [*own, "-Wno-tsan", "-fno-lto", "-fno-plt", "-U_FORTIFY_SOURCE", "-U__SANITIZE_THREAD__"]


def _gcc_kernel_address(machine: str, stack: bool) -> list[str]:
    settings = (f"stack={stack:d}", "globals=0", "use-after-return=0", "instrument-allocas=0")
    return [
        "-fsanitize=kernel-address",
        # Whatever the user says of other sanitizers: a report of ours returns where the access was a legal one.
        "-fsanitize-recover=kernel-address",
        f"-fasan-shadow-offset={SHADOW_OFFSET[machine]:#x}",
        *(f"--param=asan-{setting}" for setting in settings),
        f"--param=asan-instrumentation-with-call-threshold={NO_THRESHOLD}",
        "-U__SANITIZE_ADDRESS__",
    ]


def _clang_thread() -> list[str]:
    # Past the driver, which would link a runtime.
    settings = ("-tsan-instrument-read-before-write", "-tsan-instrument-func-entry-exit=0")
    return ["-Qunused-arguments", "-Xclang", "-fsanitize=thread", *_llvm(settings)]


def _clang_kernel_address(machine: str, stack: bool) -> list[str]:
    settings = (
        f"-asan-mapping-offset={SHADOW_OFFSET[machine]:#x}",
        f"-asan-instrumentation-with-call-threshold={NO_THRESHOLD}",
        *(
            f"-asan-stack={stack:d}",
            "-asan-globals=0",
            "-asan-instrument-dynamic-allocas=0",
            "-asan-use-after-return=never",
        ),
        "-asan-force-experiment=1",  # by the same call GCC and Clang mean other bytes: this gives Clang's other names
    )
    own = ["-fsanitize=kernel-address", "-fsanitize-recover=kernel-address"]
    return ["-Qunused-arguments", *own, *_llvm(settings)]


def _llvm(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("-mllvm", setting)]
