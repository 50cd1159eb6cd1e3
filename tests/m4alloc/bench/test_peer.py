"""The allocators: what is found, what is missing, and the presets of our core."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.bench import peer
from m4alloc.bench.peer import DEBIAN, Peer, peers, presets
from m4alloc.strategy import Strategy

NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


@NATIVE
def test_every_preset_is_an_allocator_of_its_own() -> None:
    found, _ = peers(strategies=presets())
    ours = {one.name: one.strategy for one in found if one.name.startswith("m4alloc")}
    assert ours["m4alloc"] == "" and ours["m4alloc:hardened"] == Strategy.hardened().to_environment()
    assert {name.removeprefix("m4alloc:") for name in ours} == {"m4alloc", *presets()} - {"default"}
    assert len({one.preload for one in found if one.name in ours}) == 1


def test_what_is_missing_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "FOLDERS", ())
    _, missing = peers()
    for name, (_, package) in DEBIAN.items():
        assert f"{name} is not installed: apt install {package}" in missing


def test_a_path_alone_is_named_after_its_file(tmp_path: Path) -> None:
    library = tmp_path / "libmine.so.2"
    library.write_text("")
    found, _ = peers([str(library), f"other={library}"])
    assert [(one.name, one.preload) for one in found[-2:]] == [("mine", str(library)), ("other", str(library))]


def test_further_variables_reach_the_program_though_the_users_own_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_CONF", "narenas:7")
    assert "MALLOC_CONF" not in Peer("jemalloc", "/j.so").environment()
    tuned = Peer("jemalloc:tuned", "/j.so", settings=(("MALLOC_CONF", "narenas:1"),)).environment()
    assert (tuned["MALLOC_CONF"], tuned["LD_PRELOAD"]) == ("narenas:1", "/j.so")
