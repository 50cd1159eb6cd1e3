"""`m4alloc attack`: what it prints, and how it ends."""

from __future__ import annotations

import json

import pytest

from m4alloc.cli.main import main


def test_one_attack_on_one_column_is_told_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", "--attack", "double-free", "--architecture", "flat"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == "double-free (wrong free)"
    assert "   3. free a" in out
    assert out.splitlines()[-1] == "  flat  caught, at step 3: misuse double-free"


def test_a_kind_of_hardware_is_printed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", "--architecture", "sgx"]) == 0
    out = capsys.readouterr().out
    assert " 1 sgx-shared " in out
    assert "host-buffer-within               B  B  !" in out.splitlines()


def test_the_c_librarys_own_allocator_is_attacked_in_children(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", "system", "--attack", "linear-overread", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["findings"][0]["reaction"] in ("silent corruption", "harmless", "crashed", "detected late")
    assert report["verdicts"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--attack", "rowhammer"), "no attack is called 'rowhammer'"),
        (("--architecture", "vax"), "no architecture is called 'vax'; known are flat, "),
        (("/no/such/library.so",), "/no/such/library.so: no such file"),
        (("system", "--trials", "3"), "a library runs on the hardware there is"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert main(["attack", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"m4alloc attack: {message}")
    assert err.count("\n") == 1
