"""The acceptor: what its findings say, what it makes of threads, and how it goes on after a fault."""

from __future__ import annotations

from errno import EAGAIN, EINVAL, ENOMEM

import pytest

from spec.acceptor import Acceptor
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, Event, Function
from spec.history import accept
from spec.script import check, parse, to_events


def findings(text: str) -> list[str]:
    return [str(finding) for finding in check(parse(text)).acceptor.findings]


MALLOC_24 = Event(Function.MALLOC, size=24, result=0x1000)

MESSAGES = {
    "result-disjoint": (
        "@1 a = malloc 24 -> 0x1000 usable 32\n@2 b = calloc 2 8 -> 0x1010",
        "result-disjoint: calloc(2, 8) at event 2, thread 2 returned 0x1010 with 16 bytes, 16 bytes into block #1 "
        "(24 bytes at 0x1000, usable 32), live since event 1, thread 1. A block shares no byte with any other live "
        "block. (glibc malloc(3))",
    ),
    "realloc-keeps-contents": (
        "[1..2] a = malloc 24 -> 0x1000\n[3..4] b = realloc a 16 -> 0x2000 intact 5",
        "realloc-keeps-contents: realloc(0x1000, 16) at event 3 returned 0x2000, whose byte 5 of the 16 to keep "
        "changed; it was block #1 (24 bytes at 0x1000), live since event 1. realloc keeps the contents up to the "
        "smaller of the old and the new size. (glibc realloc(3), DESCRIPTION)",
    ),
    "quarantine-respected": (
        "given quarantine 2\na = malloc 24 -> 0x1000 usable 32\nfree a\nb = malloc 24 -> 0x1000 usable 32",
        "quarantine-respected: malloc(24) at event 3 returned 0x1000, which reuses block #1 (24 bytes at 0x1000, "
        "usable 32), freed at event 2, after 0 other frees of its size class instead of 2. Between the free of a block "
        "and the reply that reuses any byte of it, at least Q other blocks of its size class are freed in the process. "
        "(the trace header: quarantine Q and the largest usable size it applies to)",
    ),
    "call-returns": (
        "a = malloc 24 -> 0x1000\n@1 a = realloc a 48 -> NULL never-returned",
        "call-returns: realloc(0x1000, 48) at event 2, thread 1 never returned, though it names block #1 (24 bytes at "
        "0x1000), live since event 1. A call that keeps the contract returns: it neither ends the program nor waits "
        "for ever. (glibc malloc(3), RETURN VALUE)",
    ),
    "block-accessible": (
        "a = malloc 24 -> 0x1000 usable 32\nload a 24 8 never-returned",
        "block-accessible: load of 8 bytes at 0x1018 at event 2 never returned, though it lies inside block #1 (24 "
        "bytes at 0x1000, usable 32), live since event 1. Every usable byte of a live block can be loaded and stored. "
        "(glibc malloc_usable_size(3))",
    ),
    "block-keeps-contents": (
        "a = malloc 24 -> 0x1000\nload a 8 8 intact 4",
        "block-keeps-contents: load of 8 bytes at 0x1008 at event 2 found that byte 4 of 8 is not what was stored "
        "there: 12 bytes into block #1 (24 bytes at 0x1000), live since event 1. A live block keeps the values stored "
        "in it until it is given up. (glibc manual 3.2.3.1, Basic Memory Allocation)",
    ),
    "double-free": (
        "@1 a = malloc 24 -> 0x1000\n@2 free a\n@3 free a",
        "double-free: free(0x1000) at event 3, thread 3 names the start of block #1 (24 bytes at 0x1000), freed at "
        "event 2, thread 2",
    ),
    "interior-free": (
        "a = malloc 24 -> 0x1000\nfree_sized a+8 16",
        "interior-free: free_sized(0x1008, 16) at event 2 names 8 bytes into block #1 (24 bytes at 0x1000), "
        "live since event 1",
    ),
    "invalid-free": (
        "realloc 0x5000 8 -> 0x6000",
        "invalid-free: realloc(0x5000, 8) at event 1 names no address inside any block",
    ),
    "use-after-free": (
        "a = malloc 24 -> 0x1000\nfree a\nload a 16 4",
        "use-after-free: load of 4 bytes at 0x1010 at event 3 names 16 bytes into block #1 (24 bytes at 0x1000), "
        "freed at event 2",
    ),
    "out-of-bounds": (
        "a = malloc 24 -> 0x1000\nstore a 20 8",
        "out-of-bounds: store of 8 bytes at 0x1014 at event 2 ends 4 bytes behind block #1 (24 bytes at 0x1000), "
        "live since event 1",
    ),
    "size-mismatch": (
        "a = aligned_alloc 64 24 -> 0x1000\nfree_aligned_sized a 32 24",
        "size-mismatch: free_aligned_sized(0x1000, 32, 24) at event 2 names an alignment of 32 for block #1 (24 bytes "
        "at 0x1000) of 64",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_finding_tells_what_happened_to_which_block_since_when_and_the_rule(name: str) -> None:
    text, message = MESSAGES[name]
    assert findings(text) == [message]


def test_violation_after_unreported_misuse_says_so() -> None:
    outcome = check(parse("a = malloc 8 -> 0x1000\nfree a\nfree a\nb = malloc 8 -> 0x1008"))
    assert [violation.after_misuse for violation in outcome.acceptor.violations] == [3]
    assert str(outcome.acceptor.violations[0]).endswith("; the client broke its side at event 3")


# Threads.


def test_block_may_be_reused_while_its_free_is_still_running() -> None:
    assert findings("[1..2] a = malloc 8 -> 0x1000\n@1 [3..6] free a\n@2 [4..5] b = malloc 8 -> 0x1000") == []


def test_block_may_be_reused_by_a_call_that_began_before_its_free() -> None:
    assert findings("[1..2] a = malloc 8 -> 0x1000\n@2 [3..6] b = malloc 8 -> 0x1000\n@1 [4..5] free a") == []


def test_block_may_not_be_reused_by_a_call_that_ended_before_its_free() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@2 [3..4] b = malloc 8 -> 0x1000\n@1 [5..6] free a"
    assert [message.split(":")[0] for message in findings(text)] == ["reuse-only-after-free"]


def test_realloc_that_moves_gives_up_its_block_when_it_begins() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@1 [3..6] c = realloc a 64 -> 0x2000\n@2 [4..5] b = malloc 8 -> 0x1000"
    assert findings(text) == []


def test_realloc_that_failed_gave_up_nothing() -> None:
    text = (
        "[1..2] a = malloc 8 -> 0x1000\n@1 [3..6] realloc a 64 -> NULL ENOMEM\n"
        "@2 [4..5] b = malloc 8 -> 0x1000 ! violates realloc-failure-keeps-block"
    )
    assert check(parse(text)).ok


def test_realloc_that_shrinks_in_place_gives_up_the_tail_when_it_begins() -> None:
    text = "[1..2] a = malloc 64 -> 0x1000\n@1 [3..6] a = realloc a 16 -> 0x1000\n@2 [4..5] b = malloc 8 -> 0x10{}"
    assert findings(text.format("10")) == []
    assert "result-disjoint" in findings(text.format("08 usable 16"))[0] or "aligned" in findings(text.format("08"))[0]


def test_realloc_in_place_never_gives_up_the_common_part() -> None:
    text = "[1..2] a = malloc 64 -> 0x1000\n@1 [3..6] a = realloc a {} -> 0x1000\n@2 [4..5] b = malloc 8 -> 0x1000"
    for size in (16, 128):
        assert findings(text.format(size))[0].startswith("reuse-only-after-free: malloc(8) at event 4")


def test_realloc_that_grows_in_place_gets_the_extension_when_it_ends() -> None:
    grows = "[1..2] a = malloc 16 -> 0x1000\n@1 [3..{}] a = realloc a 64 -> 0x1000\n@2 [4..{}] b = malloc 8 -> 0x1010"
    assert "realloc(0x1000, 64)" in findings(grows.format(6, 5))[0]
    assert "malloc(8)" in findings(grows.format(5, 6))[0]


def test_call_that_never_returned_gives_up_but_gets_nothing() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@1 [3..] {} -> 0x1000\n@2 [4..5] b = malloc 8 -> 0x1000"
    assert findings(text.format("realloc a 8")) == []
    assert findings("[1..] a = malloc 8 -> 0x1000\n@2 [4..5] b = malloc 8 -> 0x1000") == []


@pytest.mark.parametrize(
    "call", ["malloc 8", "free NULL", "usable_size NULL -> 0", "free_sized NULL 8", "posix_memalign 8 8 -> 0x7000"]
)
def test_call_in_which_the_process_ends_breaks_one_rule_and_shows_nothing_else(call: str) -> None:
    outcome = check(parse(f"given observes errno misuse\n{call} {'-> NULL ' * (call == 'malloc 8')}never-returned"))
    assert [finding.args[0].name for finding in outcome.acceptor.findings] == ["call-returns"]
    assert {name for name, number in outcome.acceptor.tally.items() if number} == {"call-returns"}


def test_call_that_never_returned_gave_up_what_it_was_handed() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@1 [3..] free a never-returned\n@2 [4..5] b = malloc 8 -> 0x1000"
    assert [message.split(":")[0] for message in findings(text)] == ["call-returns"]


def test_call_cut_off_by_the_end_of_the_recording_is_no_evidence() -> None:
    outcome = check(parse("given observes errno\n[1..2] a = malloc 8 -> 0x1000\n[3..] free a"))
    assert (outcome.acceptor.findings, outcome.acceptor.tally["call-returns"]) == ([], 1)
    assert outcome.acceptor.tally["free-keeps-errno"] == 0


@pytest.mark.parametrize("misuse", ["free a", "free a+4", "realloc a 8 -> NULL", "usable_size a -> 0", "load a 0 4"])
def test_process_may_end_in_a_call_that_is_misuse(misuse: str) -> None:
    text = f"given observes misuse\na = malloc 8 -> 0x1000\nfree a\n{misuse} never-returned"
    acceptor = check(parse(text)).acceptor
    assert acceptor.violations == []
    assert len(acceptor.misuses) == 1


def test_sized_free_with_the_wrong_size_may_end_the_process() -> None:
    acceptor = check(parse("a = malloc 8 -> 0x1000\nfree_sized a 16 never-returned")).acceptor
    assert (acceptor.violations, [misuse.kind for misuse in acceptor.misuses]) == ([], ["size-mismatch"])


def test_free_during_a_realloc_in_place_is_misuse() -> None:
    text = "[1..2] a = malloc 8 -> 0x1000\n@1 [3..6] a = realloc a 16 -> 0x1000 ! misuse double-free\n@2 [4..5] free a"
    outcome = check(parse(text))
    assert outcome.ok
    assert not outcome.acceptor.heap.live


QUARANTINE = """given quarantine 1
[1..2] a = malloc 8 -> 0x1000 usable 16
[3..4] b = malloc 8 -> 0x1010 usable 16
@1 [5..{}] free {}
@2 [6..{}] free {}
@3 [{}..{}] c = malloc 8 -> 0x1000 usable 16
"""


def test_free_that_overlaps_the_free_of_a_block_may_count_as_later() -> None:
    assert findings(QUARANTINE.format(8, "b", 7, "a", 9, 10)) == []


def test_free_that_overlaps_the_reuse_of_a_block_may_count_as_earlier() -> None:
    assert findings(QUARANTINE.format(7, "a", 9, "b", 8, 10)) == []


def test_free_that_ended_before_the_free_of_a_block_never_counts() -> None:
    text = QUARANTINE.replace("[6..{}]", "[8..{}]").format(6, "b", 9, "a", 10, 11)
    assert [message.split(":")[0] for message in findings(text)] == ["quarantine-respected"]


def test_free_that_began_after_the_reuse_of_a_block_never_counts() -> None:
    text = (
        "given quarantine 1\n[1..2] a = malloc 8 -> 0x1000 usable 16\n[3..4] b = malloc 8 -> 0x1010 usable 16\n"
        "[5..6] free a\n@3 [7..9] c = malloc 8 -> 0x1000 usable 16\n@2 [10..11] free b"
    )
    assert [message.split(":")[0] for message in findings(text)] == ["quarantine-respected"]


def test_quarantine_is_inherited_by_a_forked_child() -> None:
    parent = Acceptor(quarantine=1)
    parent.step(MALLOC_24._replace(usable=32))
    parent.step(Event(Function.FREE, address=0x1000))
    child = Acceptor(quarantine=1, heap=parent.heap.copy())
    assert child.step(MALLOC_24._replace(usable=32, size=8, result=0x1010))[0].args[0].name == "quarantine-respected"


def test_quarantine_leaves_out_blocks_above_its_limit_and_of_unknown_size() -> None:
    for usable in (" usable 48", ""):
        text = (
            f"given quarantine 1 limit 32\na = malloc 24 -> 0x1000{usable}\nfree a\nb = malloc 24 -> 0x1000 usable 32"
        )
        assert findings(text) == []


def test_sized_free_with_the_wrong_size_may_be_reported_by_the_allocator() -> None:
    text = "a = malloc 24 -> 0x1000\nfree_sized a 32 misuse-caught ! misuse size-mismatch a ! caught\n"
    outcome = check(parse("given observes misuse\n" + text + "free a"))
    assert outcome.ok
    assert outcome.acceptor.violations == []


# Evidence.


def test_without_evidence_a_rule_is_not_observed() -> None:
    acceptor = accept(to_events(parse("a = calloc 3 8 -> 0x1000\na = realloc a 8 -> 0x1000\nfree a\nfree NULL")))
    for rule in ("calloc-zeroes", "realloc-keeps-contents", "usable-at-least-requested", "free-keeps-errno"):
        assert rule in acceptor.not_observed
    assert acceptor.tally["result-disjoint"] == 2


def test_a_flag_that_nobody_looked_for_is_no_evidence_unless_raised() -> None:
    free = Event(Function.FREE)
    assert Acceptor().step(free) == []
    looking = Acceptor(observes=ERRNO_CHANGED | MISUSE_CAUGHT)
    looking.step(free)
    assert (looking.tally["free-keeps-errno"], looking.tally["free-null-does-nothing"]) == (1, 1)
    assert len(Acceptor().step(free._replace(flags=ERRNO_CHANGED))) == 1


def test_access_inside_a_block_is_evidence_that_it_is_accessible() -> None:
    acceptor = check(parse("a = malloc 8 -> 0x1000 usable 16\nload a 8 8\nload a 0 8 intact 8\nfill a 0x5a")).acceptor
    assert acceptor.findings == []
    assert (acceptor.tally["block-accessible"], acceptor.tally["block-keeps-contents"]) == (3, 1)


def test_block_of_no_bytes_has_none_to_access() -> None:
    text = "a = malloc 0 -> 0x1000{}\nstore a 0 1"
    assert [message.split(":")[0] for message in findings(text.format(""))] == ["out-of-bounds"]
    assert findings(text.format(" usable 16")) == []


def test_errno_after_the_free_of_a_stray_pointer_is_left_open() -> None:
    text = "given standard {}\nfree 0x5000 errno-changed"
    assert [message.split(":")[0] for message in findings(text.format("posix"))] == ["invalid-free"]


def test_failure_is_judged_by_the_standards_that_name_errors() -> None:
    failed = Event(Function.MALLOC, size=24)
    assert Acceptor("c17").step(failed) == []
    assert [str(finding).split(".")[0] for finding in Acceptor("posix").step(failed)] == [
        "result-non-null-or-enomem: malloc(24) at event 1 returned NULL with no error"
    ]
    assert Acceptor("posix").step(failed._replace(errno=ENOMEM)) == []


@pytest.mark.parametrize(("standard", "broken"), [("posix", []), ("glibc", ["posix-memalign-arguments"])])
@pytest.mark.parametrize("error", [EINVAL, EAGAIN])
def test_posix_memalign_of_no_bytes_may_return_any_error_under_posix_and_two_under_glibc(
    standard: str, broken: list[str], error: int
) -> None:
    refused = Event(Function.POSIX_MEMALIGN, alignment=64, errno=error)
    for judge in (Acceptor(standard).step, lambda event: accept([event], Acceptor(standard)).findings):
        assert [str(finding).split(":")[0] for finding in judge(refused)] == broken
        assert judge(refused._replace(errno=ENOMEM)) == judge(refused._replace(errno=0)) == []
        assert [str(found).split(":")[0] for found in judge(refused._replace(size=8))] == ["posix-memalign-arguments"]


@pytest.mark.parametrize("error", [ENOMEM, EINVAL])
def test_posix_memalign_that_fails_leaves_the_pointer_unchanged_or_null(error: int) -> None:
    failed = Event(Function.POSIX_MEMALIGN, size=8, alignment=64 if error == ENOMEM else 3, errno=error)
    for before, after, broken in ((0x5000, 0x5000, 0), (0x5000, 0, 0), (0, 0x6000, 0), (0x5000, 0x6000, 1)):
        event = failed._replace(address=before, result=after)
        assert [str(found).split(":")[0] for found in Acceptor("posix").step(event)] == [
            "posix-memalign-arguments"
        ] * broken


@pytest.mark.parametrize(
    ("function", "size", "address", "refusing"),
    [
        (Function.MALLOC, 8, 0x1008, {"c17", "glibc"}),
        (Function.MALLOC, 1, 0x1001, {"c17", "glibc"}),
        (Function.MALLOC, 15, 0x1008, {"c17", "glibc"}),
        (Function.MALLOC, 15, 0x1004, {"c17", "c23", "posix", "glibc"}),
        (Function.MALLOC, 24, 0x1008, {"c17", "c23", "posix", "glibc"}),
        # Of exactly its size: no type of 24 bytes needs more than 8, and none of 48 more than 16.
        (Function.NEW, 24, 0x1008, set()),
        (Function.NEW, 24, 0x1004, {"c17", "c23", "posix", "glibc"}),
        (Function.NEW, 48, 0x1008, {"c17", "c23", "posix", "glibc"}),
        (Function.NEW, 1, 0x1001, set()),
    ],
)
def test_a_block_too_small_for_a_type_need_not_suit_it_where_the_standard_says_so(
    function: Function, size: int, address: int, refusing: set[str]
) -> None:
    event = Event(function, size=size, result=address)
    for standard in ("c17", "c23", "posix", "glibc"):
        wanted = ["result-aligned-fundamental"] if standard in refusing else []
        for findings in (Acceptor(standard).step(event), accept([event], Acceptor(standard)).findings):
            assert [str(found).split(":")[0] for found in findings] == wanted


# After a fault.


def test_one_fault_is_one_finding() -> None:
    text = (
        "a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1010 ! violates result-disjoint\n"
        "store a 0 8 ! misuse out-of-bounds\nfree a\nfree b"
    )
    outcome = check(parse(text.replace("store a 0 8 ! misuse out-of-bounds\n", "")))
    assert outcome.ok
    twice = "a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1000 ! violates reuse-only-after-free\nfree a\nfree b"
    assert check(parse(twice)).ok


def test_client_that_uses_a_block_handed_out_twice_is_not_blamed() -> None:
    text = "a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1010 ! violates result-disjoint\nstore a 0 8\nfree a\n"
    assert check(parse(text)).ok
    assert "out-of-bounds" in findings(text + "store a 0 8")[-1]


def test_block_outside_the_address_space_takes_no_room() -> None:
    text = f"a = malloc 32 -> {2**64 - 16:#x} ! violates result-contained\nb = malloc 8 -> 0x1000\nfree a\nfree b"
    assert check(parse(text)).ok


def test_realloc_to_zero_bytes_leaves_open_whether_the_block_is_dead() -> None:
    open_ended = "given standard c17\na = malloc 24 -> 0x1000\nrealloc a 0 -> NULL\n"
    assert findings(open_ended + "free a") == []
    assert findings(open_ended + "b = malloc 24 -> 0x1000") == []
    assert "double-free" in findings(open_ended.replace("c17", "glibc") + "free a")[0]
    assert "errno" not in findings(open_ended.replace("c17", "glibc"))


@pytest.mark.parametrize(
    "reply", ["NULL", "NULL EPERM", "NULL ENOMEM", "0x1000", "0x1001", "0x2010", "NULL never-returned"]
)
def test_nothing_is_demanded_of_a_call_that_the_standard_leaves_undefined(reply: str) -> None:
    undefined = f"a = malloc 24 -> 0x1000\nc = malloc 24 -> 0x2000\nb = realloc a 0 -> {reply} misuse-caught\n"
    for standard in ("c23", "c23 posix"):
        assert findings(f"given standard {standard}\n{undefined}") == []
    assert findings(f"given standard c23 glibc\n{undefined}") != []


def test_block_that_an_undefined_realloc_was_handed_is_neither_live_nor_dead() -> None:
    undefined = "given standard c23 posix\na = malloc 24 -> 0x1000\nrealloc a 0 -> NULL ENOMEM\n"
    assert findings(undefined + "free a") == []
    assert findings(undefined + "b = malloc 24 -> 0x1000") == []
    later = findings(undefined + "b = malloc 24 -> 0x1000\nc = malloc 24 -> 0x1000")
    assert later[0].endswith("; the client broke its side at event 2")


def test_usable_size_asked_later_is_believed() -> None:
    text = "a = malloc 24 -> 0x1000\nusable_size a -> 40\nb = malloc 8 -> 0x1020 ! violates result-disjoint"
    assert check(parse(text)).ok
    assert check(parse(text.replace("-> 40", "-> 16 ! violates usable-at-least-requested").split("\nb")[0])).ok


def test_findings_beyond_the_limit_are_only_counted() -> None:
    acceptor = Acceptor(limit=2)
    for _ in range(5):
        assert len(acceptor.step(Event(Function.FREE, address=0x1000))) == 1
    assert (len(acceptor.findings), acceptor.counts["invalid-free"], acceptor.refused) == (2, 5, 0)
    acceptor.check()


def test_negative_quarantine_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^quarantine is a number of frees, 0 or more, not -1$"):
        Acceptor(quarantine=-1)


def test_an_aligned_block_that_realloc_kept_in_place_is_freed_by_the_new_size_alone() -> None:
    held = "a = aligned_alloc 64 10 -> 0x1000 usable 64\na = realloc a 12 -> 0x1000 usable 64\n"
    assert findings(held + "free_sized a 12") == []
    assert len(findings(held + "free_aligned_sized a 64 12")) == 1
