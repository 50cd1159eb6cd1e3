"""The C of reproducers: what the contract asks behind each call, and how a program takes the functions it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from m4alloc.check.reproduce_run import BASICS, RUNNERS

CHECKS: Mapping[str, str] = {
    "refused_now": """\
static int refused_now(void) { return refusals && refusals() != refused_before; }
""",
    "accepted": """\
/* A valid call is not reported as misuse. */
static void accepted(const char *rule)
{
    if (refused_now())
        WRONG(rule, "%s", "the allocator reported the call as misuse, and it is none");
}
""",
    "caught": """\
/* The call just made was misuse: an allocator that promises to report misuse has done so. */
static void caught(void)
{
    if (!refused_now())
        WRONG("misuse-caught", "%s", "the allocator did not report the misuse");
    misused = 0;
}
""",
    "pattern": """\
/* What a block holds: bytes that say which block and which offset. None is 0, as lost bytes of fresh memory are. */
static unsigned char pattern(unsigned seed, size_t offset)
{
    return (unsigned char)(1 + ((seed * 2654435761u ^ (unsigned)offset * 2246822519u) >> 16) % 255);
}
""",
    "intact": """\
/* How many leading bytes hold what was written. */
static size_t intact(const unsigned char *p, size_t size, unsigned seed)
{
    size_t i = 0;
    touching = 1;
    while (i < size && p[i] == pattern(seed, i))
        i++;
    touching = 0;
    return i;
}
""",
    "tail": """\
/* Of a block that is looked at in part: where its last bytes begin. */
static size_t tail(const struct block *one)
{
    return one->extent > CHECKED + TAIL ? one->extent - TAIL : one->extent;
}
""",
    "fill": """\
/* Write to every byte that may be written to. */
static void fill(int which)
{
    struct block *one = &block[which];
    static unsigned seeds; //single
    static _Atomic unsigned seeds; //threads
    if (!one->live)
        return;
    one->seed = ++seeds;
    touching = 1;
    for (size_t i = 0; i < one->filled; i++)
        one->p[i] = pattern(one->seed, i);
    for (size_t i = tail(one); i < one->extent; i++) //large
        one->p[i] = pattern(one->seed, i); //large
    touching = 0;
}
""",
    "compare": """\
/* A block holds what was written to it last. */
static void contents(const struct block *one, const char *called, const char *rule)
{
    size_t good = poked ? one->filled : intact(one->p, one->filled, one->seed);
    if (good < one->filled)
        WRONG(rule, "byte %zu of %s (%zu bytes at %p, %zu usable) is %#x, not %#x as stored", good, called, one->size,
              (void *)one->p, one->usable, one->p[good], pattern(one->seed, good));
    touching = 1; //large
    for (size_t i = tail(one); i < one->extent && !poked; i++) //large
        if (one->p[i] != pattern(one->seed, i)) //large
            WRONG(rule, "byte %zu of %s (%zu bytes) is not what was stored there", i, called, one->size); //large
    touching = 0; //large
}

static void compare(int which, const char *rule) { contents(&block[which], name[which], rule); }
""",
    "count_place": """\
/* Bytes handed out in all, and at addresses that are new: memory that is freed and never reused makes both grow. */
enum { PLACES = 1 << 16 };
static struct { void *p; size_t usable; } place[PLACES];
static size_t handed_out, distinct, live_now, most_live, places;
static void count_place(int which)
{
    const struct block *one = &block[which];
    size_t at = ((uintptr_t)one->p >> 4) * 2654435761u % PLACES;
    handed_out += one->usable;
    live_now += one->usable;
    most_live = live_now > most_live ? live_now : most_live;
    while (place[at].p && place[at].p != one->p)
        at = (at + 1) % PLACES;
    if (!place[at].p)
        places++;
    if (one->usable > place[at].usable)
        distinct += one->usable - place[at].usable, place[at].usable = one->usable;
    place[at].p = one->p;
}
static int enough(void) { return handed_out >= ENOUGH || places >= PLACES / 2; }
""",
    "give": """\
/* The client gives a block up, or hands it to realloc: it still holds what was written. 0: there is no such block. */
static int give(int which)
{
    if (!block[which].live)
        return 0;
    compare(which, "block-keeps-contents");
    lock(); //threads
    block[which].live = 0;
    block[which].died = ++deaths; //quarantine
    live_now -= block[which].usable; //places
    unlock(); //threads
    errno = SENTINEL;
    return 1;
}
""",
    "young": """\
/* Between the free of a block and the reuse of any byte of it, QUARANTINE other blocks of its size class are freed. */
static void young(int new)
{
    const struct block *made = &block[new];
    for (int i = 0; i < BLOCKS; i++) {
        const struct block *dead = &block[i];
        if (i == new || !dead->died || dead->live || dead->usable > QUARANTINE_LIMIT ||
            made->p >= dead->p + dead->extent || dead->p >= made->p + made->extent)
            continue;
        int passed = 0;
        for (int j = 0; j < BLOCKS; j++)
            passed += block[j].died > dead->died && block[j].usable == dead->usable;
        if (passed < QUARANTINE)
            WRONG("quarantine-respected", "%p reuses bytes of %s after %d other frees of its size class, not %d",
                  (void *)made->p, name[i], passed, QUARANTINE);
    }
}
""",
    "reused": """\
/* Nothing like all that was handed out may have been new, when so little was live at any time. */
static void reused(void)
{
    if (distinct > most_live + HELD_BACK + handed_out / 8 + (1 << 20))
        WRONG("freed-is-reused", "%zu bytes at new addresses for %zu in all, never more than %zu live", distinct,
              handed_out, most_live);
}
""",
    "take": """\
/* A block is handed out: where it lies, what it may not share, how large it is. */
static void take(int new, void *p, size_t size, size_t alignment, const char *alignment_rule)
{
    struct block *made = &block[new], fresh = {.p = p, .size = size};
    if (!p) {
        if (!made->live)
            *made = fresh;
        return;
    }
    if ((uintptr_t)p % alignment)
        WRONG(alignment_rule, "%p for %s is no multiple of %zu", p, name[new], alignment);
    fresh.usable = fresh.extent = size;
    if ((uintptr_t)p < TOP && size <= TOP - (uintptr_t)p) {
        fresh.usable = USABLE(p, size);
        fresh.extent = fresh.usable > size ? fresh.usable : size;
    }
    if ((uintptr_t)p >= TOP || fresh.extent > TOP - (uintptr_t)p)
        WRONG("result-contained", "%p with %zu bytes for %s is not inside user addresses", p, fresh.extent, name[new]);
    if (fresh.usable < size)
        WRONG("usable-at-least-requested", "%s was given %zu usable bytes, not %zu", name[new], fresh.usable, size);
    fresh.extent += !fresh.extent;
    fresh.filled = fresh.usable < CHECKED ? fresh.usable : CHECKED;
    lock(); //threads
    for (int i = 0; i < BLOCKS; i++) {
        const struct block *other = &block[i];
        if (i == new || !other->live || fresh.p >= other->p + other->extent || other->p >= fresh.p + fresh.extent)
            continue;
        WRONG(other->survivor               ? "realloc-failure-keeps-block"
              : !size || !other->size       ? "zero-size-distinct"
              : fresh.p == other->p         ? "reuse-only-after-free"
                                            : "result-disjoint",
              "%s (%zu bytes at %p) shares bytes with %s (%zu bytes at %p), offset %td", name[new], fresh.extent, p,
              name[i], other->extent, (void *)other->p, fresh.p - other->p);
    }
    if (made->live && lost_count < LOST) //repeat
        lost[lost_count++] = *made; //repeat
    fresh.live = 1;
    *made = fresh;
    count_place(new); //places
    unlock(); //threads
    young(new); //quarantine
}
""",
    "failed": """\
/* A request that fails says so by ENOMEM; `or_else`: another error that it may give. */
static void failed(const void *p, size_t size, int or_else)
{
    int error = errno;
    if (!p && error != ENOMEM && !(or_else && error == or_else) && (size || ZERO_IS_BLOCK))
        WRONG("result-non-null-or-enomem", "NULL with %s", error == SENTINEL ? "errno unchanged" : strerror(error));
}
""",
    "got": """\
static void got(int new, void *p, size_t size, size_t alignment)
{
    failed(p, size, 0); //errors
    take(new, p, size, alignment, "result-aligned-fundamental");
}
""",
    "got_aligned": """\
static void got_aligned(int new, void *p, size_t size, size_t alignment, int or_else)
{
    failed(p, size, or_else); //errors
    (void)or_else; //careless
    take(new, p, size, alignment, "result-aligned-as-requested");
}
""",
    "memaligned": """\
/* posix_memalign returned `error` and left `p` in *memptr. */
static void memaligned(int new, int error, void *p, size_t alignment, size_t size)
{
    int valid = alignment % sizeof(void *) == 0 && alignment && (alignment & (alignment - 1)) == 0;
    if (valid ? size && error && error != ENOMEM : error != EINVAL)
        WRONG("posix-memalign-arguments", "returned %d for an alignment of %zu", error, alignment);
    if (valid && size && !error && !p)
        WRONG("posix-memalign-arguments", "%s", "returned no error and no block");
    if (error && p && p != UNTOUCHED)
        WRONG("posix-memalign-arguments", "failed, but changed *memptr to %p", p);
    take(new, error ? NULL : p, size, valid ? alignment : 1, "result-aligned-as-requested");
}
""",
    "refused": """\
/* What cannot be served is refused; `error`: the errno this takes, 0 when any will do. */
static void refused(const char *rule, const void *p, int error)
{
    int seen = errno;
    if (p)
        WRONG(rule, "returned %p instead of NULL", p);
    if (error && seen != error)
        WRONG(rule, "failed with errno %d instead of %d", seen == SENTINEL ? 0 : seen, error);
}
""",
    "zero": """\
/* calloc's bytes are zero. */
static void zero(int which, size_t size, const char *rule)
{
    const struct block *one = &block[which];
    touching = 1;
    for (size_t i = 0; one->live && i < size && i < one->filled; i++)
        if (one->p[i])
            WRONG(rule, "byte %zu of %s is %#x, not 0", i, name[which], one->p[i]);
    touching = 0;
}
""",
    "has_room": """\
static void has_room(int which, size_t need)
{
    if (block[which].live && block[which].usable < need)
        WRONG("pvalloc-whole-pages", "%s has %zu usable bytes, not %zu", name[which], block[which].usable, need);
}
""",
    "keep": """\
/* A realloc failed: the old block is as it was. */
static void keep(int which)
{
    compare(which, "realloc-failure-keeps-block");
    lock(); //threads
    block[which].live = block[which].survivor = 1;
    live_now += block[which].usable; //places
    unlock(); //threads
}
""",
    "resized": """\
/* realloc returned p: the contents up to the smaller size are kept; where it failed, the old block is. */
static void resized(int old, int new, void *p, size_t size, size_t alignment)
{
    const struct block before = block[old];
    failed(p, size, 0); //errors
    if (!p) {
        keep(old);
        return;
    }
    take(new, p, size, alignment, "result-aligned-fundamental");
    size_t kept = before.size < size ? before.size : size;
    kept = poked ? 0 : kept < before.filled ? kept : before.filled;
    size_t good = intact(block[new].p, kept, before.seed);
    if (good < kept)
        WRONG("realloc-keeps-contents", "byte %zu of the %zu to keep is %#x, not %#x", good, kept, block[new].p[good],
              pattern(before.seed, good));
}
""",
    "resized_to_zero": """\
/* realloc(p, 0) returned p. */
static void resized_to_zero(int old, int new, void *p)
{
    int error = errno;
    if (p && ZERO_FREES)
        WRONG("realloc-zero", "returned %p instead of NULL", p);
    if (!p && ZERO_NAMES_ERROR && error != EINVAL && error != ENOMEM)
        WRONG("realloc-zero", "NULL with errno %d instead of EINVAL", error == SENTINEL ? 0 : error);
    if (p)
        take(new, p, 0, 1, "result-aligned-fundamental");
    else if (error != SENTINEL && !ZERO_FREES)
        keep(old);
}
""",
    "errno_kept": """\
static void errno_kept(void)
{
    int error = errno;
    if (error != SENTINEL)
        WRONG("free-keeps-errno", "errno is %d, it was %d", error, SENTINEL);
}
""",
    "measured": """\
/* malloc_usable_size: at least the request, and no byte of another block; of a null pointer 0. */
static void measured(int which, size_t usable)
{
    struct block *one = &block[which];
    if (usable < one->size)
        WRONG("usable-at-least-requested", "%zu for %s of %zu bytes", usable, name[which], one->size);
    if (usable > TOP - (uintptr_t)one->p)
        WRONG("result-contained", "%zu for %s at %p", usable, name[which], (void *)one->p);
    for (int i = 0; i < BLOCKS; i++)
        if (i != which && block[i].live && block[i].p >= one->p && block[i].p < one->p + usable)
            WRONG("result-disjoint", "%zu for %s reaches into %s", usable, name[which], name[i]);
}
""",
    "measured_null": """\
static void measured_null(size_t usable)
{
    if (usable)
        WRONG("usable-size-null", "%zu for NULL", usable);
}
""",
    "served": """\
static void served(int which)
{
    if (!block[which].live)
        WRONG("request-served", "%s was refused, though there is memory", name[which]);
}
""",
    "claimed": """\
static void claimed(int holds, const char *claim)
{
    if (!holds)
        WRONG("claim", "%s", claim);
}
""",
    "disjoint": """\
static int disjoint(int a_block, int another)
{
    const struct block *one = &block[a_block], *other = &block[another];
    return !one->live || !other->live || one->p >= other->p + other->extent || other->p >= one->p + one->extent;
}
""",
    "misuse": """\
/* The client breaks its side: an allocator may end the program for it. */
static void misuse(void)
{
    misused = 1;
    errno = SENTINEL;
}
""",
    "peek": """\
static void peek(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        (void)*(const volatile unsigned char *)(p + i);
}
""",
    "poke": """\
static void poke(unsigned char *p, size_t size, unsigned char byte)
{
    poked = 1; /* what blocks hold is not known any more */
    for (size_t i = 0; i < size; i++)
        *(volatile unsigned char *)(p + i) = byte;
}
""",
    "free_the_rest": """\
static void free_the_rest(void)
{
    for (int i = 0; i < BLOCKS; i++)
        if (give(i))
            call_free(block[i].p);
}
""",
    "finish": """\
static int finish(void)
{
    now = "the end";
    latest = now; //threads
    for (int i = 0; i < BLOCKS; i++)
        if (block[i].live)
            compare(i, "block-keeps-contents");
    for (int i = 0; i < lost_count; i++) //repeat
        contents(&lost[i], "a block of an earlier round", "block-keeps-contents"); //repeat
    const char said[] = "not reproduced\\n";
    return write(STDOUT_FILENO, said, sizeof said - 1) < 0;
}
""",
}
"""What the client does with its blocks and asks of the allocator, each below what it needs."""
PIECES: Mapping[str, str] = {**BASICS, **CHECKS, **RUNNERS}
"""All functions by name, each below those it needs."""
_SILENT = re.compile(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARK = re.compile(r" *//(\w+)$", re.MULTILINE)


def pieces(code: str, traits: frozenset[str]) -> str:
    """The functions that `code` needs, directly or not, in order, as the program of these traits has them.

    traits: what the program has; a line that ends in `//trait` is kept only in programs with it.
    Cost: O(text), some times over.

    >>> pieces("misuse();", frozenset()).splitlines()[1]
    'static void misuse(void)'
    """
    texts = {name: _with_traits(text, traits) for name, text in PIECES.items()}
    needed: set[str] = set()
    waiting = _words(code) & texts.keys()
    while waiting:
        needed |= waiting
        waiting = set().union(*(_words(texts[name]) for name in waiting)) & texts.keys() - needed
    return "\n".join(text for name, text in texts.items() if name in needed)


def _with_traits(text: str, traits: frozenset[str]) -> str:
    lines = []
    for line in text.splitlines():
        mark = _MARK.search(line)
        if mark is None:
            lines.append(line)
        elif mark[1] in traits:
            lines.append(line[: mark.start()])
    return "\n".join(lines) + "\n"


def _words(code: str) -> set[str]:
    """The identifiers in C text, comments and strings left out."""
    return set(re.findall(r"[A-Za-z_]\w*", _SILENT.sub(" ", code)))
