"""Five instructions become two with a proof; where z3 is missing the example says so and ends well."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from examples import superoptimise_one


def test_five_instructions_become_two_with_a_proof(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("z3")
    pytest.importorskip("llvmlite")
    assert superoptimise_one.main() == 0
    told = capsys.readouterr().out
    assert "5 instructions become 2:" in told
    after = told.partition("become 2:")[2]
    assert "= add i64 %size, 15" in after
    assert after.count(" = ") == 2
    assert "proof: whole" in told


def test_without_z3_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(superoptimise_one, "find_spec", lambda name: None if name == "z3" else find_spec("json"))
    assert superoptimise_one.main() == 0
    assert capsys.readouterr().out == "skipped: z3 missing; pip install 'm4alloc[superopt]'\n"
