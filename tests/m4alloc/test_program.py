"""m4alloc.program says before anything runs why a library could not be preloaded into a program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.program import ProgramError, locate


def executable(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o755)
    return path


def foreign(machine: int) -> bytes:
    """An ELF header for another machine, copied from this interpreter's own."""
    header = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
    header[18:20] = machine.to_bytes(2, "little")
    return bytes(header)


def test_a_program_is_found_on_the_path() -> None:
    program = locate(["env", "true"])
    assert program.path == Path(str(shutil.which("env")))
    assert (program.executable, program.argv) == (program.path, ("env", "true"))


def test_a_script_runs_its_interpreter(tmp_path: Path) -> None:
    script = executable(tmp_path / "script", "#!/bin/sh -e\n")
    assert locate([str(script)]).executable == Path("/bin/sh")


def test_env_in_a_script_is_looked_through(tmp_path: Path) -> None:
    script = executable(tmp_path / "script", "#!/usr/bin/env -S LANG=C sh -e\n")
    assert locate([str(script)]).executable == Path(str(shutil.which("sh")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("#!/no/such/interpreter\n", "is a script for /no/such/interpreter, which does not exist"),
        ("#!/usr/bin/env no-such-interpreter\n", "is a script for no-such-interpreter, which is not on PATH"),
        ("#!\n", "names no interpreter"),
        ("echo hello\n", "is neither an ELF program nor a script"),
        ("", "is neither an ELF program nor a script"),
        (foreign(243), "is for riscv64; this machine is"),
        (foreign(999), "is for ELF machine 999; this machine is"),
    ],
)
def test_a_file_that_cannot_be_preloaded_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        locate([str(executable(tmp_path / "program", content))])


def test_a_script_that_interprets_itself_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script"
    with pytest.raises(ProgramError, match="names no interpreter that could run it"):
        locate([str(executable(script, f"#!{script}\n"))])


def test_a_statically_linked_program_is_refused(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is missing: apt-get install gcc")
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    subprocess.run([compiler, "-static", "empty.c", "-o", "static"], cwd=tmp_path, check=True)
    with pytest.raises(ProgramError, match="is statically linked: no library can be preloaded into it"):
        locate([str(tmp_path / "static")])


def test_no_program_no_file_no_folder_and_no_permission_are_told_apart(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n", encoding="utf-8")
    for argv, message in (
        ([], "no program given"),
        (["no-such-program"], "no program called 'no-such-program' on PATH"),
        ([str(tmp_path / "none")], "does not exist"),
        ([str(tmp_path)], "is a directory, not a program"),
        ([str(plain)], "is not executable"),
    ):
        with pytest.raises(ProgramError, match=message):
            locate(argv)


@pytest.mark.skipif(os.geteuid() == 0, reason="the loader's rule is about other users than root")
def test_a_set_user_id_program_is_refused() -> None:
    with pytest.raises(ProgramError, match="the loader ignores LD_PRELOAD"):
        locate(["su"])
