"""The compiler wrapper: builds behave as they did, and what cannot be watched is refused before any compiler runs."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.monitor import start
from m4alloc.monitor.compiler import command, find
from m4alloc.monitor.instrument import SHADOW_OFFSET
from m4alloc.monitor.start import CompilerError
from m4alloc.monitor.words import Words
from spec.properties import PROPERTIES
from tests.m4alloc.monitor.hooked import PACKAGE, compiled, ran, stub, words_for
from tests.m4alloc.native import need

MAIN = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiler")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "main.c").write_text(MAIN)
    return tmp_path / "main.c"


def message(*argv: str, language: str = "c", environment: dict[str, str] | None = None) -> str:
    with pytest.raises(CompilerError) as caught:
        command(argv, language, environment={"PATH": os.environ["PATH"], **(environment or {})})
    return str(caught.value)


def is_watched(program: Path) -> bool:
    """Whether the runtime is the first library of a program or library."""
    listing = subprocess.run(
        [need("readelf", "binutils"), "-d", str(program)], capture_output=True, text=True, check=True
    )
    return re.findall(r"\(NEEDED\).*\[(.+)\]", listing.stdout)[:1] == ["libm4monitor.so"]


def has_hooks(built: Path) -> bool:
    listing = subprocess.run([need("nm", "binutils"), str(built)], capture_output=True, text=True, check=True).stdout
    return "__asan_report_" in listing or "__tsan_" in listing


# ---- what is understood of a command line


@pytest.mark.parametrize(
    ("line", "links"),
    [
        ("main.c -o main", True),
        ("-c main.c", False),
        ("-E main.c", False),
        ("-M main.c", False),
        ("-MM main.c", False),
        ("-MD main.c", True),
        ("-S main.c", False),
        ("-fsyntax-only main.c", False),
        ("-r a.o b.o -o c.o", False),
        ("a.o -o main", True),
        ("-shared a.o -o liba.so", True),
        ("--version", False),
        ("-v", False),
        ("-print-search-dirs", False),
        ("-o main", False),
        ("-x c -", True),
        ("-x c -c -", False),
        ("-include config.h -c main.c", False),
        ("-Xlinker -r a.o", False),
    ],
)
def test_a_command_links_when_a_program_or_library_comes_of_it(line: str, links: bool) -> None:
    assert Words(line.split()).links is links


def test_the_word_after_an_option_that_takes_one_is_no_file() -> None:
    line = "-MF deps.d -MT main.o -I include -D NAME -o main.o main.c -lm -L lib"
    assert Words(line.split()).inputs == ["main.c"]


def test_words_in_a_response_file_count(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("-c 'a file.c'")
    (tmp_path / "outer").write_text(f"@{tmp_path / 'inner'} -O2")
    asked = Words([f"@{tmp_path / 'outer'}"])
    assert asked.inputs == ["a file.c"]
    assert not asked.links


def test_a_response_file_that_is_not_there_is_a_word_as_it_is_for_the_compiler() -> None:
    assert Words(["@nowhere", "-c"]).inputs == ["@nowhere"]


def test_a_response_file_that_names_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "self").write_text(f"-c @{tmp_path / 'self'}")
    assert not Words([f"@{tmp_path / 'self'}"]).links


# ---- options of our own


def test_our_options_are_taken_out_wherever_they_stand(folder: Path) -> None:
    words = words_for(folder, "c", "-c", "--hooks=thread", "main.c", "--hooks", "kernel-address")
    assert "-fsanitize=kernel-address" in words
    assert not any("hooks" in word for word in words if word.startswith("--"))


def test_options_of_the_environment_come_before_those_of_the_command() -> None:
    environment = {"PATH": os.environ["PATH"], "M4ALLOC_CC_OPTIONS": "--hooks=thread"}
    assert "-fsanitize=thread" in command(["-c", "a.c"], environment=environment)
    assert "-fsanitize=thread" not in command(["-c", "a.c", "--hooks=kernel-address"], environment=environment)


def test_a_command_that_does_nothing_is_passed_on_as_it_is() -> None:
    gcc = need("gcc", "gcc")
    for line in ("--version", "-v", "-dumpmachine", "-print-prog-name=ld", "-print-multi-os-directory"):
        assert command([f"--compiler={gcc}", line]) == [gcc, line]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--hooks=ebpf", "-c", "a.c"], "--hooks=ebpf: there are kernel-address and thread"),
        (["-c", "a.c", "--hooks"], "--hooks wants a value: --hooks=thread"),
        (["-c", "a.c", "--property="], "--property wants a value: --property=VALUE"),
        (
            ["a.c", "--property", "nosuch"],
            "--property: no property is called nosuch. The properties are "
            f"{', '.join(one.name for one in PROPERTIES)}; "
            "a formula of one word is written with its index, as in `address: malloc`",
        ),
        (["--stack", "--hooks=thread", "-c", "a.c"], "--stack: only --hooks=kernel-address knows what is on the stack"),
        (
            ["--uninitialised", "--hooks=kernel-address", "-c", "a.c"],
            "--uninitialised wants --hooks=thread, which tells of every write",
        ),
        (["-m32", "-c", "a.c"], "-m32: the runtime is 64-bit only; compile for x86_64 or aarch64"),
        (
            ["-static", "a.c"],
            "-static: a statically linked program has no place for the runtime, which is a shared library; link "
            "dynamically (-static-libgcc and -static-libstdc++ may stay)",
        ),
        (
            ["--compiler=no-such-compiler", "a.c"],
            "the compiler 'no-such-compiler' was not found: apt-get install gcc libc6-dev, or name another with "
            "--compiler=COMMAND or in M4ALLOC_CC",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_what_would_be_right(words: list[str], text: str) -> None:
    need("gcc", "gcc")
    assert message(*words) == text


def test_another_target_is_refused() -> None:
    need("gcc", "gcc")
    assert message("--target=riscv64-linux-gnu", "-c", "a.c") == (
        f"the compiler's target is riscv64-linux-gnu; the runtime is for {os.uname().machine} Linux, where it was built"
    )


def test_a_cross_compiler_is_refused_by_its_name(tmp_path: Path) -> None:
    cross = tmp_path / "sparc64-linux-gnu-gcc-12"
    cross.write_text("")
    cross.chmod(0o755)
    assert message(f"--compiler={cross}", "-c", "a.c").startswith("the compiler's target is sparc64-linux-gnu; ")


def test_static_is_no_matter_where_nothing_is_linked() -> None:
    need("gcc", "gcc")
    assert "-static" in command(["-static", "-c", "a.c"])


def test_without_a_compiler_the_line_that_installs_one_is_named() -> None:
    with pytest.raises(CompilerError) as caught:
        find("c", [], {"PATH": "/nonexistent"})
    assert str(caught.value) == "no C compiler (gcc, cc, clang): apt-get install gcc libc6-dev"
    with pytest.raises(CompilerError) as caught:
        find("c++", [], {"PATH": "/nonexistent"})
    assert str(caught.value) == "no C++ compiler (g++, c++, clang++): apt-get install g++"


def test_unknown_words_in_the_environments_options_are_refused() -> None:
    need("gcc", "gcc")
    assert message("-c", "a.c", environment={"M4ALLOC_CC_OPTIONS": "-O2"}) == (
        "M4ALLOC_CC_OPTIONS: -O2 is none of --hooks=, --property=, --compiler=, --stack, --uninitialised"
    )


def test_without_the_runtime_nothing_is_linked(tmp_path: Path) -> None:
    need("gcc", "gcc")
    with pytest.raises(
        CompilerError, match=f"{tmp_path}/libm4monitor.so does not exist: m4alloc was installed without"
    ):
        command(["a.c"], library=tmp_path / "libm4monitor.so")


# ---- sanitizers of the user's own


def test_another_sanitizer_is_left_out_and_said_to_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = words_for(folder, "c", "-fsanitize=address,undefined", "-fno-sanitize=all", "-c", "a.c")
    assert "-fsanitize=undefined" in words
    assert not [word for word in words if "address" in word and word.startswith("-fsanitize=") and "kernel" not in word]
    assert capsys.readouterr().err == (
        "m4alloc: -fsanitize=address,undefined -fno-sanitize=all left out: the monitor takes its place\n"
    )


def test_a_sanitizer_in_a_response_file_is_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "flags").write_text("-fsanitize=address -O2")
    words = words_for(folder, "c", f"@{tmp_path / 'flags'}", "-c", "a.c")
    assert "-O2" in words
    assert "-fsanitize=address" not in words
    assert f"@{tmp_path / 'flags'}" not in words


def test_undefined_behaviour_sanitizer_may_stay(folder: Path, source: Path) -> None:
    target = source.with_suffix("")
    compiled(words_for(folder, "c", "-fsanitize=undefined", "-fno-sanitize-recover=all", source, "-o", target))
    assert ran(target).out == "hello\n"


# ---- what is built


@pytest.mark.parametrize("kind", ["gcc", "clang"])
@pytest.mark.parametrize("hooks", ["kernel-address", "thread"])
def test_one_command_and_two_build_a_watched_program(folder: Path, tmp_path: Path, kind: str, hooks: str) -> None:
    text = MAIN.replace("void", "int n, char **words").replace("return 0", "return words[0][0] == 0")
    (tmp_path / "main.c").write_text(text)
    how = [f"--hooks={hooks}", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-pedantic"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert compiled(words_for(folder, "c", *how, tmp_path / "main.c", "-o", one, compiler=kind)) == ""
    assert (
        compiled(words_for(folder, "c", *how, "-c", tmp_path / "main.c", "-o", tmp_path / "main.o", compiler=kind))
        == ""
    )
    assert compiled(words_for(folder, "c", *how, tmp_path / "main.o", "-o", two, compiler=kind)) == ""
    for program in (one, two):
        assert ran(program).out == "hello\n"
        assert is_watched(program)
        assert has_hooks(program)


def test_no_sanitizer_announces_itself_to_the_program(folder: Path, tmp_path: Path) -> None:
    for hooks in ("kernel-address", "thread"):
        for kind in ("gcc", "clang"):
            words = words_for(folder, "c", f"--hooks={hooks}", "-dM", "-E", "-x", "c", "/dev/null", compiler=kind)
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert "__SANITIZE_" not in done.stdout
            assert done.stderr == ""


def test_source_from_stdin_is_compiled(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "program"
    words = words_for(folder, "c", "-x", "c", "-", "-o", target)
    subprocess.run(words, input=MAIN, text=True, check=True)
    assert ran(target).out == "hello\n"
    assert is_watched(target)


def test_a_shared_library_is_watched_and_starts_the_runtime_in_a_program_that_is_not(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "part.c").write_text('#include "stub.h"\nint started(void) { return stub_started(); }\n')
    (tmp_path / "main.c").write_text(
        "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **word) {\n"
        "(void)n; void *part = dlopen(word[1], RTLD_NOW);\nif (!part) { puts(dlerror()); return 1; }\n"
        'printf("%d\\n", ((int (*)(void))dlsym(part, "started"))()); return 0; }\n'
    )
    library, program = tmp_path / "libpart.so", tmp_path / "main"
    compiled(words_for(folder, "c", "-shared", "-fPIC", tmp_path / "part.c", "-o", library))
    assert is_watched(library)
    compiled([need("gcc", "gcc"), str(tmp_path / "main.c"), "-o", str(program), "-ldl"])
    assert ran(program, str(library)).out == "1\n"


def test_objects_joined_into_one_are_linked_once(folder: Path, source: Path) -> None:
    first, joined, target = source.with_suffix(".o"), source.with_name("joined.o"), source.with_suffix("")
    compiled(words_for(folder, "c", "-c", source, "-o", first))
    compiled(words_for(folder, "c", "-r", first, "-o", joined))
    compiled(words_for(folder, "c", joined, "-o", target))
    assert ran(target).out == "hello\n"


def test_assembler_and_names_of_dependencies_are_as_without(folder: Path, source: Path) -> None:
    other = source.with_name("other.S")
    other.write_text('.globl other\nother: ret\n.section .note.GNU-stack,"",@progbits\n')
    compiled(words_for(folder, "c", "-MMD", source.name, "-o", "program"), source.parent)
    assert source.with_name("program-main.d").exists() or source.with_name("program.d").exists()
    plain = source.parent / "plain"
    plain.mkdir()
    shutil.copy(source, plain)
    compiled([need("gcc", "gcc"), "-MMD", "main.c", "-o", "program"], plain)
    assert sorted(p.name for p in plain.glob("*.d")) == sorted(p.name for p in source.parent.glob("*.d"))
    compiled(words_for(folder, "c", source.name, other.name, "-o", "both"), source.parent)
    assert ran(source.with_name("both")).out == "hello\n"


def test_as_needed_and_a_library_of_malloc_leave_the_runtime_first(folder: Path, source: Path) -> None:
    target = source.with_suffix("")
    compiled(words_for(folder, "c", "-Wl,--as-needed", "-lc", source, "-lm", "-o", target))
    assert is_watched(target)


@pytest.mark.parametrize(
    "flags", [["-flto"], ["-flto", "--hooks=thread"], ["-fPIE", "-pie"], ["-no-pie"], ["-pthread"]]
)
def test_ways_of_linking(folder: Path, source: Path, flags: list[str]) -> None:
    target = source.with_suffix("")
    compiled(words_for(folder, "c", "-O2", *flags, "-c", source, "-o", source.with_suffix(".o")))
    compiled(words_for(folder, "c", "-O2", *flags, source.with_suffix(".o"), "-o", target))
    assert ran(target).out == "hello\n"
    assert is_watched(target)


def test_getenv_works_when_the_runtime_starts(folder: Path, tmp_path: Path) -> None:
    """The start object runs before the C library's own constructor, which is what sets `environ`."""
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\nstatic const char *early;\n"
        'static void look(void) { early = getenv("LC_ALL"); }\n'
        'static void (*const after)(void) __attribute__((used, section(".preinit_array"))) = look;\n'
        'int main(void) { printf("%s\\n", early ? early : "nothing"); return 0; }\n'
    )
    target = tmp_path / "main"
    compiled(words_for(folder, "c", tmp_path / "main.c", "-o", target))
    assert ran(target).out == "C\n"


def test_the_table_is_in_the_start_object(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "table_of", lambda properties: b"t" * (1000 + len(properties)))
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "stub.h"\nint main(void) { printf("%zu\\n", stub_table_size()); return 0; }\n'
    )
    target = tmp_path / "main"
    compiled(words_for(folder, "c", "--property", "p", "--property=q", tmp_path / "main.c", "-o", target))
    assert ran(target).out == "1002\n"


def test_the_shadow_is_where_the_runtime_has_it() -> None:
    header = (PACKAGE / "_monitor.h").read_text()
    offsets = [int(value, 16) for value in re.findall(r"M4M_SHADOW_OFFSET UINT64_C\((0x[0-9a-f]+)\)", header)]
    assert offsets == [SHADOW_OFFSET["aarch64"], SHADOW_OFFSET["x86_64"]]


def test_the_start_object_is_made_once(folder: Path, source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(cache)}
    words = [command([str(source)], environment=environment, library=stub(folder)) for _ in range(2)]
    assert words[0] == words[1]
    made = [path for path in cache.rglob("*") if path.is_file()]
    assert [path.suffix for path in made] == [".o"]


def test_without_a_home_the_start_object_is_in_the_folder_for_temporary_files(
    folder: Path, source: Path, tmp_path: Path
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc", "TMPDIR": str(tmp_path)}
    command([str(source)], environment=environment, library=stub(folder))
    assert list(tmp_path.glob("m4alloc-*/start-exe-*.o"))


def test_a_configure_script_finds_what_it_finds_without(folder: Path, tmp_path: Path) -> None:
    """Autoconf's probes: a header, a function by a wrong prototype, one that is missing, -Werror with a warning."""
    probes = {
        "header": ("#include <stdlib.h>\nint main(void) { return 0; }\n", ["-Werror"], 0),
        "function": ("char malloc(); int main(void) { return malloc(); }\n", [], 0),
        "missing": ("char no_such_function(); int main(void) { return no_such_function(); }\n", [], 1),
        "warning": ("int main(void) { int unused; return 0; }\n", ["-Wall", "-Werror"], 1),
    }
    for name, (text, flags, status) in probes.items():
        (tmp_path / f"{name}.c").write_text(text)
        words = words_for(folder, "c", *flags, tmp_path / f"{name}.c", "-o", tmp_path / name)
        assert subprocess.run(words, capture_output=True).returncode == status, name


def test_a_compile_step_imports_no_heavy_module_and_costs_little(tmp_path: Path) -> None:
    code = (
        "import sys, m4alloc.monitor.compiler as c; c.command(['-c', 'a.c']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"spec", "capability", "numpy", "subprocess"} & set(done.stdout.split())

    def best(statement: str) -> float:
        """CPU seconds of an interpreter; the machine may be busy."""
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", statement], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    assert best("import m4alloc.monitor.compiler as c; c.command(['-c', 'a.c'])") < best("pass") + 0.06


@pytest.mark.parametrize("kind", ["gcc", "clang"])
def test_comparisons_are_told_where_uninitialised_values_are_looked_for(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "compare.c").write_text("int f(int *p, int a) { return *p == a ? 3 : 4; }\n")
    target = tmp_path / "compare.o"
    said = compiled(
        words_for(folder, "c", "--uninitialised", "-O1", "-c", tmp_path / "compare.c", "-o", target, compiler=kind)
    )
    listing = subprocess.run([need("nm", "binutils"), str(target)], capture_output=True, text=True, check=True).stdout
    assert said == ""
    assert "__sanitizer_cov_trace_cmp4" in listing
    assert "__tsan_read4" in listing


def test_a_program_says_what_it_was_built_with(folder: Path, source: Path) -> None:
    target = source.with_suffix("")
    compiled(words_for(folder, "c", source, "-o", target))
    listing = subprocess.run([need("nm", "binutils"), str(target)], capture_output=True, text=True, check=True).stdout
    assert re.search(r" V m4alloc_program$", listing, re.MULTILINE)


def test_every_hook_that_a_compiler_may_call_is_there(folder: Path) -> None:
    listing = subprocess.run(
        [need("nm", "binutils"), "-D", "--defined-only", str(stub(folder))], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in listing.splitlines()}
    sizes = (1, 2, 4, 8, 16)
    wanted = {f"__tsan_{kind}{size}" for kind in ("read", "write") for size in sizes}
    wanted |= {f"__tsan_unaligned_{kind}{size}" for kind in ("read", "write") for size in sizes}
    wanted |= {f"__asan_report_{kind}{size}_noabort" for kind in ("load", "store") for size in sizes}
    wanted |= {
        f"__tsan_atomic{bits}_{name}"
        for bits in (8, 16, 32, 64, 128)
        for name in (
            *(
                "load",
                "store",
                "exchange",
                "fetch_add",
                "fetch_sub",
                "fetch_and",
                "fetch_or",
                "fetch_xor",
                "fetch_nand",
            ),
            *("compare_exchange_strong", "compare_exchange_weak", "compare_exchange_val"),
        )
    }
    assert wanted <= names
