"""Attacks on real allocators, one of which does what its environment says; and the report of both kinds of attack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from platform import libc_ver

import pytest

from m4alloc.check.attack import TOLD, AttackError, attack
from m4alloc.check.attack_native import Finding, Reaction, strike
from m4alloc.check.attack_report import Simulation
from m4alloc.check.attack_text import lines
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.lib import LibraryError, lib
from spec.attack import CATALOGUE, DEFENCES, Outcome
from tests.m4alloc.schema import faults

LISTS = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A header with size and state, a free list of the blocks of one size through their first word: as simple allocators
 * are. WAY says what it does about misuse. */
static _Alignas(4096) unsigned char room[1 << 25];
static size_t used;
struct header { size_t size, state; };
struct link { struct link *next; };
static struct link *lists[1 << 12];
static int way(const char *name) { const char *set = getenv("WAY"); return set && !strcmp(set, name); }
static struct header *of(void *p) { return (struct header *)p - 1; }
static void say(const char *what) { if (write(2, what, strlen(what)) > 0) abort(); }

void *malloc(size_t size)
{
    if (size == 0)
        size = 16;
    if (size > 1 << 24)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (size > 65535) {
        struct header *h = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        h = (struct header *)((char *)h + 4080);
        h->size = size, h->state = 1;
        return h + 1;
    }
    struct link *first = lists[size / 16];
    if (first) {
        lists[size / 16] = first->next;
        of(first)->state = 1;
        if (way("clears"))
            memset(first, 0, size);
        return first;
    }
    if (used + size + 32 > sizeof room)
        return NULL;
    struct header *h = (struct header *)(room + used);
    used += size + 16;
    h->size = size, h->state = 1;
    return h + 1;
}

void free(void *p)
{
    if (!p)
        return;
    struct header *h = of(p);
    if (way("ignores") && ((uintptr_t)p - (uintptr_t)room >= sizeof room || h->state != 1))
        return;
    if (way("aborts") && h->state != 1)
        say("freed twice\n");
    if (way("hangs") && h->state != 1)
        for (;;)
            pause();
    if (way("looks") && (h->size > 1 << 24 || h->state > 2))
        say("header destroyed\n");
    if (h->size > 65535) {
        munmap((char *)h - 4080, h->size + 4096);
        return;
    }
    if (way("any size"))
        h->size = 64;
    h->state = 2;
    struct link *l = p;
    l->next = lists[h->size / 16 % (1 << 12)];
    lists[h->size / 16 % (1 << 12)] = l;
}

void *calloc(size_t n, size_t size)
{
    void *p = malloc(way("wraps") ? n * size : size && n > -1ul / size ? -1ul : n * size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *p, size_t size)
{
    void *q = size ? malloc(size) : NULL;
    if (q && p)
        memcpy(q, p, of(p)->size < size ? of(p)->size : size);
    free(p);
    return q;
}
"""


@pytest.fixture
def lists(library: Callable[..., str]) -> Iterator[Callable[[str, str], Finding]]:
    """Carries out an attack on the allocator that does this about misuse."""

    def carry_out(way: str, name: str) -> Finding:
        with Foreign(library(LISTS), timeout=0.5, environment={"WAY": way}) as foreign:
            return strike(foreign, CATALOGUE[name])

    yield carry_out


@pytest.mark.parametrize(
    ("way", "name", "reaction", "step", "note"),
    [
        ("", "double-free", Reaction.SILENT, 0, "b and c share memory"),
        ("", "double-free-after-reuse", Reaction.SILENT, 0, "b and c share memory"),
        ("", "linear-overflow", Reaction.SILENT, 0, "the contents of b have changed under its owner"),
        ("", "linear-overread", Reaction.SILENT, 0, "reply holds bytes of the secret"),
        ("", "use-after-reuse-read", Reaction.SILENT, 0, "reply holds bytes of the secret"),
        ("", "dangling-stored-pointer", Reaction.SILENT, 0, "the contents of b have changed under its owner"),
        ("", "free-list-poisoning", Reaction.SILENT, 0, "c and target share memory"),
        ("", "double-free-from-another-thread", Reaction.SILENT, 0, "b and c share memory"),
        ("", "stale-data-after-shrink", Reaction.SILENT, 0, "reply holds bytes of the secret"),
        ("clears", "stale-data-after-shrink", Reaction.HARMLESS, 0, ""),
        ("aborts", "double-free", Reaction.AT_ONCE, 3, "SIGABRT inside free: freed twice"),
        ("aborts", "double-free-with-one-between", Reaction.AT_ONCE, 5, "SIGABRT inside free: freed twice"),
        (
            "looks",
            "linear-overflow",
            Reaction.LATE,
            5,
            "SIGABRT inside free: header destroyed; by then the contents of b",
        ),
        ("looks", "header-overwrite", Reaction.LATE, 5, "SIGABRT inside free: header destroyed"),
        ("ignores", "double-free", Reaction.HARMLESS, 0, ""),
        ("", "interior-free", Reaction.ACCEPTED, 0, "nothing was reported, and no harm seen"),
        ("", "free-of-stack", Reaction.ACCEPTED, 0, "nothing was reported, and no harm seen"),
        ("", "free-of-global", Reaction.ACCEPTED, 0, "nothing was reported, and no harm seen"),
        ("ignores", "free-of-stack", Reaction.ACCEPTED, 0, "nothing was reported, and no harm seen"),
        ("any size", "free-of-stack", Reaction.SILENT, 0, "a new block of 64 bytes holds the address that was freed"),
        ("any size", "free-of-global", Reaction.SILENT, 0, "a new block of 64 bytes holds the address that was freed"),
        ("hangs", "double-free", Reaction.HUNG, 3, "no answer in time inside free"),
        ("", "use-after-free-large", Reaction.CRASHED, 3, "SIGSEGV"),
        ("", "wild-free", Reaction.CRASHED, 2, "SIGSEGV inside free"),
        ("wraps", "calloc-product-overflow", Reaction.SILENT, 0, "the request for a is granted"),
        ("", "calloc-product-overflow", Reaction.HARMLESS, 0, ""),
        ("", "free-with-wrong-size", Reaction.UNAVAILABLE, 2, "the library exports no free_sized"),
    ],
)
def test_what_the_allocator_does_is_told_by_its_name(
    lists: Callable[[str, str], Finding], way: str, name: str, reaction: Reaction, step: int, note: str
) -> None:
    found = lists(way, name)
    assert (found.reaction, found.step) == (reaction, step), found.note
    assert note in found.note if note else found.note == ""


def test_our_core_names_each_wrong_free_at_once() -> None:
    path = _core()
    wrong = {
        "double-free": "double free of",
        "double-free-after-reuse": "double free of",
        "double-free-large": "large block of 135168 bytes is already free",
        "double-free-from-another-thread": "double free of",
        "realloc-after-free": "realloc of freed",
        "interior-free": "16 bytes into slot",
        "wild-free": "not a pointer into the heap",
        "free-of-stack": "not a pointer into the heap",
        "free-of-global": "not a pointer into the heap",
        "free-with-wrong-size": "256 bytes claimed, but the block has 64",
    }
    with Foreign(path) as foreign:
        for name, message in wrong.items():
            found = strike(foreign, CATALOGUE[name])
            assert (found.reaction, message in found.note) == (Reaction.AT_ONCE, True), found
    with Foreign(path, environment={"M4ALLOC_OPTIONS": "misuse=count"}) as foreign:
        assert strike(foreign, CATALOGUE["double-free"]) == Finding(
            "double-free", Reaction.AT_ONCE, 3, "counted as misuse"
        )


def test_what_the_core_delays_is_not_reused_within_an_attack() -> None:
    with Foreign(_core()) as foreign:
        found = strike(foreign, CATALOGUE["use-after-reuse-write"])
    assert found.reaction is Reaction.HARMLESS


def _core() -> Path:
    try:
        return lib()
    except LibraryError as error:
        pytest.skip(str(error))


# The report


def test_one_attack_is_told_on_each_kind_of_hardware() -> None:
    report = attack(attack="use-after-reuse-write")
    assert {story.defence for story in report.stories} == set(TOLD)
    assert {verdict.defence for verdict in report.verdicts} == set(DEFENCES)
    text = "\n".join(lines(report))
    assert "5. store 8 bytes of 0x41 at a" in text
    assert "mte-glibc            caught with probability 14/15, at step 5: tag mismatch fault (SEGV_MTESERR)" in text


def test_a_kind_of_hardware_selects_its_columns() -> None:
    report = attack(attack="linear-overflow", architecture="cheri")
    assert {defence.family for defence in report.defences} == {"cheri"}
    assert len(report.defences) == 6
    assert report.verdict("linear-overflow", "morello").share(Outcome.CAUGHT) == 1
    with pytest.raises(KeyError):
        report.verdict("linear-overflow", "flat")


def test_simulations_are_of_the_cells_that_leave_something_to_chance() -> None:
    report = attack(attack="use-after-reuse-read", architecture="mte", trials=300, seed=3)
    assert {simulation.defence for simulation in report.simulations} == {"mte-random", "mte-glibc"}
    assert all(abs(simulation.deviation) < 4 for simulation in report.simulations)
    assert lines(report)[-1].startswith(
        "simulated: 2 cells, 300 runs each; the farthest from its exact probability is use-"
    )


def test_a_deviation_counts_in_standard_errors() -> None:
    assert Simulation("a", "d", trials=400, caught=220, share=0.5).deviation == 2.0


def test_the_table_has_a_row_for_each_attack_and_a_column_for_each_defence() -> None:
    report = attack(architecture="sgx")
    text = lines(report)
    assert [line.split() for line in text if line.startswith("linear-overflow ")] == [
        ["linear-overflow", "!", "!", "!"]
    ]
    assert sum(line.startswith("[") for line in text) == len({entry.family for entry in CATALOGUE.values()})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attack": "double-fre"}, "no attack is called 'double-fre'; did you mean double-free"),
        ({"architecture": "mte-jemalloc"}, "no architecture is called 'mte-jemalloc'; did you mean mte-"),
        ({"trials": -1}, "-1 trials: 0 or more"),
        ({"library": "system", "trials": 5}, "a library runs on the hardware there is"),
        ({"library": "system", "attack": "tag-guess"}, "tag-guess needs a model of the hardware"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(AttackError) as caught:
        attack(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_library_that_cannot_be_driven_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no such file"):
        attack(tmp_path / "none.so")


def test_the_json_of_stories_simulations_and_findings_obeys_the_schema(library: Callable[..., str]) -> None:
    import json

    schema = json.loads((Path(__file__).parents[3] / "docs" / "json-schema" / "attack.json").read_text())
    reports = [
        attack(attack="use-after-reuse-read", architecture="mte-glibc", trials=10),
        attack(attack="narrowed-free", architecture="adi"),
        attack(library(LISTS), timeout=0.5),
    ]
    for report in reports:
        assert list(faults(json.loads(json.dumps(report.to_json())), schema)) == []
    assert reports[0].to_json()["verdicts"][0]["outcomes"] == {"caught": "14/15", "missed": "1/15"}
    assert reports[1].to_json()["verdicts"][0]["applies"] is False
    made = [finding["attack"] for finding in reports[2].to_json()["findings"]]
    assert made == [name for name, entry in CATALOGUE.items() if entry.is_native]
    assert len(made) >= 40


# What it says of others


PEERS = {
    "glibc 2.36": "system",
    "jemalloc 5.3": "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
    "mimalloc 2.0": "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0",
    "tcmalloc 2.10": "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4",
}
SHORT = {
    Reaction.AT_ONCE: "at once",
    Reaction.LATE: "late",
    Reaction.SILENT: "silent",
    Reaction.ACCEPTED: "accepted",
    Reaction.HARMLESS: "-",
    Reaction.CRASHED: "crash",
    Reaction.HUNG: "hang",
    Reaction.UNAVAILABLE: ".",
}


def printed_table() -> str:
    """The table of docs/attacks.md, as it stands there."""
    text = (Path(__file__).parents[3] / "docs" / "attacks.md").read_text(encoding="utf-8")
    return text.split("<!-- peers -->\n")[1].split("\n<!-- end of peers -->")[0]


def peers_table() -> str:
    """The table as it should be."""
    columns = {"m4alloc": str(_core()), **PEERS}
    found = {name: {one.attack: one.reaction for one in attack(path).findings} for name, path in columns.items()}
    lines = [f"| Attack | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, entry in CATALOGUE.items():
        if entry.is_native:
            lines.append(f"| `{name}` | {' | '.join(SHORT[found[column][name]] for column in columns)} |")
    return "\n".join(lines)


def test_the_page_shows_what_the_core_does() -> None:
    cells = [[cell.strip(" `") for cell in line.split("|")[1:3]] for line in printed_table().splitlines()]
    assert cells[0] == ["Attack", "m4alloc"]
    assert dict(cells[2:]) == {one.attack: SHORT[one.reaction] for one in attack(str(_core())).findings}


@pytest.mark.campaign
def test_the_page_shows_what_the_allocators_of_debian_12_do() -> None:
    missing = [path for path in PEERS.values() if path != "system" and not Path(path).exists()]
    if missing or libc_ver() != ("glibc", "2.36"):
        pytest.skip("needs Debian 12's: apt-get install libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4")
    assert printed_table() == peers_table(), f"docs/attacks.md should say:\n{peers_table()}"
