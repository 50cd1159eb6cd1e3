"""Step 5: a formula that says something else, a quarantine that is too short or never ends, a model that cheats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., Any]
FORMULAS = {
    "[](free -> (!malloc W quarantine_end))": ("asks for too little", "A quarantine never ends"),
    "[](free -> <>quarantine_end)": ("asks for too little", "handed out before its quarantine"),
    "[](free -> ([]!malloc && <>quarantine_end))": ("asks for too much", "as it should be"),
    "free -> (!malloc U quarantine_end)": ("asks for too little", ""),
    "[](free -> (!alloc U quarantine_end))": ("speaks of alloc", ""),
    "[](free -> (!malloc U": ("cannot be read", "line 1"),
}
HEAPS = {
    "off-by-one": (
        [("len(queue) > WAIT", "len(queue) >= WAIT")],
        "waits",
        "and 3 other blocks of its size had been freed",
    ),
    "one-queue-for-all": ([("block.top - block.base", "0")], "waits", "and no other block of its size had been freed"),
    "says-nothing": ([('        self.say("quarantine_end", base)\n', "")], "says so", "before the heap had said"),
    "no-close": (
        [
            (
                "        for queue in self.queues.values():\n            while queue:",
                "        for queue in ():\n            while queue:",
            )
        ],
        "ends",
        "the program is over",
    ),
    "says-it-at-malloc": (
        [
            (
                "    def close(self)",
                "    def malloc(self, size):\n        found = super().malloc(size)\n"
                '        self.say("quarantine_end", found.address)\n        return found\n\n    def close(self)',
            )
        ],
        "once",
        "which is live",
    ),
}
WAITS = "state[b] = WAITING  label mem_free_start(b)"
JANITOR = """        for b in 0..BLOCKS-1 {
            if state[b] == WAITING { atomic { state[b] = FREE  label quarantine_end(b) } }
        }"""
MODELS = {
    "never-says": ([("  label quarantine_end(b)", "")], "model safe", "never says what the property is about"),
    "hands-out-what-waits": ([("await state[b] == FREE", "await state[b] != LIVE")], "model safe", "in quarantine"),
    "unfair-janitor": ([("process janitor fair", "process janitor")], "model ends", "its quarantine never ends"),
    "janitor-with-a-favourite": (
        [
            (
                JANITOR,
                JANITOR.replace("for b in", "choose b in")
                .replace("if state[b] == WAITING { atomic { ", "atomic { await state[b] == WAITING  ")
                .replace("} }\n", "}\n"),
            )
        ],
        "model ends",
        "its quarantine never ends",
    ),
    "ends-live-blocks": ([("if state[b] == WAITING", "if state[b] != FREE")], "model honest", "though it has none"),
    "does-nothing": (
        [("await state[b] == FREE ", "await state[b] == FREE && false ")],
        "model lives",
        "ever handed out",
    ),
    "no-model": ([("model quarantine\n", "modle quarantine\n")], "model lives", "quarantine.m4m, line 1"),
}


def test_the_starter_has_a_formula_that_is_always_true_and_a_heap_that_says_nothing(judged: Judge) -> None:
    found = judged(5, starter=True)
    assert list(found) == ["formula", "says so", "ends", "model safe", "model honest", "model ends"]
    assert found["formula"].history == ("1. free", "and from 1 again, for ever")


def test_the_solution_keeps_every_promise(judged: Judge) -> None:
    assert judged(5) == {}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_that_says_something_else_is_shown_a_history(judged: Judge, formula: str) -> None:
    found = judged(5, ("[](free -> (!malloc U quarantine_end))", formula), promises=("formula",))
    assert all(part in found["formula"].happened for part in FORMULAS[formula]), found["formula"].happened
    assert bool(found["formula"].history) == ("asks" in found["formula"].happened)


@pytest.mark.parametrize("mistake", HEAPS)
def test_a_heap_that_breaks_the_property_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    changes, name, happened = HEAPS[mistake]
    found = judged(5, *changes, promises=(name,))
    assert happened in found[name].happened, found[name].happened


@pytest.mark.parametrize("mistake", MODELS)
def test_a_model_that_cheats_or_forgets_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    changes, name, happened = MODELS[mistake]
    found = judged(5, model=changes, promises=(name,))
    assert happened in found[name].happened, found[name].happened
    assert len(found[name].history) <= 17
