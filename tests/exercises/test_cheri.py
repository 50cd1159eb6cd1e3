"""Step 3: bounds too wide, sizes that no bounds can hold, and reuse before revocation are told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., Any]
DERIVE = "self.architecture.derive(self.memory, base, length, DATA)"
MISTAKES = {
    "never-asks-again": (
        [("granule = refusal.granule", "return None")],
        "representable",
        "A block of 65537 bytes was refused",
    ),
    "a-granule-too-wide": ([(DERIVE, DERIVE.replace("length", "length + granule"))], "narrow", "reaches"),
    "reaches-to-the-next-page": (
        [(DERIVE, DERIVE.replace("length", "4096"))],
        "narrow",
        "a reaches byte 0 of b",
    ),
    "every-right": ([("import DATA", "import ALL_PERMS as DATA")], "data only", "a can be executed"),
    "reuses-too-early": (
        [
            ("for block in done.reusable:\n            self.space.free(block.base)", "pass"),
            (
                "self.pointers.pop(pointer.address)))",
                "self.pointers.pop(pointer.address)))\n            self.space.free(pointer.address)",
            ),
        ],
        "waits",
        "a was freed, but not revoked yet: the stale pointer to it still works, and it reaches b.",
    ),
    "never-sweeps": ([("if self.sweep() else None", "if 0 else None")], "sweeps", "one sweep would give all"),
    "no-granule": ([("granule = self.architecture.granule", "granule = 1")], "granule", "multiple of 64"),
    "gives-back-the-last-alone": ([("in done.reusable:", "in done.reusable[-1:]:")], "comes back", "was refused"),
}


def test_the_starter_is_right_without_protection_and_says_what_is_wrong_on_cheri(judged: Judge) -> None:
    found = judged(3, starter=True)
    assert list(found) == ["granule", "reaches", "representable", "waits"]
    assert (
        "65537 bytes at 0x10000 have no exact bounds: both must be multiples of 128" in found["representable"].happened
    )
    assert "rounded up to it" in found["representable"].hint
    assert found["waits"].history[0] == "on CHERI (ISAv9 128), which sweeps once 65536 bytes wait"


def test_the_solution_keeps_every_promise(judged: Judge) -> None:
    assert judged(3) == {}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    changes, name, happened = MISTAKES[mistake]
    found = judged(3, *changes, promises=(name,))
    assert name in found, list(found)
    assert happened in found[name].happened, found[name].happened
    assert len(found[name].history) <= 14
