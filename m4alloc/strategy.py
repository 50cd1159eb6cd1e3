"""Strategy: every policy knob of the core as one typed, validated, serialisable value."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from spec.model.shape import Shape

GRANULE = 16
SMALL_MAX = 32768
CLASSES_MAX = 64


def default_classes() -> tuple[int, ...]:
    """16 to 128 by 16, then four slot sizes a doubling up to 32,768: above 128 at most a fifth of a slot is wasted.

    >>> default_classes()[:12]
    (16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256)
    """
    sizes = []
    size = step = GRANULE
    while size <= SMALL_MAX:
        sizes.append(size)
        if size >= 8 * step:
            step *= 2
        size += step
    return tuple(sizes)


LIMITS: dict[str, tuple[int, int]] = {
    "delay_line": (0, 4096),
    "delay_bytes": (0, 2**30),
    "quarantine": (0, 65536),
    "quarantine_bytes": (0, 2**30),
    "stack_depth": (16, 65536),
    "stack_bytes": (65536, 2**30),
    "refill_batch": (1, 4096),
    "zero_on_free": (0, SMALL_MAX),
    "retain_bytes": (0, 2**63 - 1),
    "retain_share": (0, 1000),
    "retain_ms": (0, 2**63 - 1),
    "randomise": (0, 2),
    "guards": (0, 1),
    "guard_slabs": (0, 1024),
    "guard_empty": (0, 1),
    "check_on_reuse": (0, SMALL_MAX),
    "canaries": (0, 1),
    "check_copies": (0, 1),
    "quarantine_random": (0, 1),
    "large_quarantine": (0, 2**44),
    "large_delay": (0, 2**40),
    "history": (0, 1),
    "side_bytes": (0, 256),
    "sample_rate": (0, 2**31),
    "sample_slots": (1, 4096),
    "reserve": (2**22, 2**44),
}
"""Least and greatest value of every number; the core refuses what is outside as well."""


PRESETS = ("default", "hardened", "sampled")
"""The strategies that have a name."""


class StrategyError(ValueError):
    """A strategy that the core could not run; the message names the knob, the value and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Every policy of the core, checked when it is made.

    classes: slot sizes in bytes, increasing multiples of 16, at most 64 of them, the last 32,768; larger requests get
    a span of their own.
    delay_line: slots of a class that a thread frees before the first of them can be handed out again; that long a
    double free is certain to be caught.
    quarantine: further slots of the class, filled with a pattern, that a freed slot waits for; a write after free
    shows when it leaves.
    delay_bytes, quarantine_bytes: the most that either may hold of one class, but one slot at least: above a slot size
    of delay_bytes / delay_line the line is shorter.
    stack_depth, stack_bytes: the most free slots, and bytes in them, that a thread keeps at hand for one class.
    refill_batch: slots taken from a slab at a time.
    quarantine_random: whether the quarantine gives out a random slot instead of the one that waited longest; which is
    then anybody's guess, and how long one waits too.
    zero_on_free: slots up to this many bytes are zeroed when freed.
    check_on_reuse: that many bytes at the start of each slot are zeroed when it is freed, if they are not anyhow, and
    must still be zero when it is handed out again; the slot freed last is looked at by the next malloc already.
    canaries: whether each block ends in a canary, at the very byte where the request ends; it is looked at when the
    block is freed or resized, and so are the slots beside it. malloc_usable_size is then the size asked for.
    check_copies: whether memcpy, memmove and memset refuse to leave the block they begin in. Only a library that is
    built with this knob has these functions: m4alloc lib --strategy.
    retain_bytes, retain_share: free spans keep their pages up to this much, or up to this many hundredths of what is in
    use, whichever is more.
    retain_ms: and for this long; looked at when spans are freed, and now and then when slots are.
    randomise: 1: a batch of slots is taken from a random place of its slab, and given out in random order; 2: from all
    over the slab, which costs locality.
    guards: whether an inaccessible page precedes and follows each large block.
    guard_slabs: one of so many slabs is followed by 64 KiB that are inaccessible; 0: none is.
    guard_empty: whether blocks of zero bytes are inaccessible, each at an address of its own.
    large_quarantine: bytes of address space of freed large blocks that stay inaccessible.
    large_delay: without it, a freed large block of at most so many bytes is not used again before others of so many
    bytes have been freed; that long a double free is certain to be caught.
    history: whether reports name the threads that allocated and freed a block.
    side_bytes: out-of-line bytes a slot has for monitors (m4alloc_side).
    sample_rate: one of about this many allocations lies on a page of its own beside an inaccessible one; 0: none does.
    sample_slots: how many such pages there are.
    reserve: bytes of address space of a reservation.
    Raises: StrategyError.

    >>> Strategy(delay_line=64).quarantine_length
    64
    >>> Strategy(delay_line=-1)
    Traceback (most recent call last):
    m4alloc.strategy.StrategyError: delay_line is -1; it must be from 0 to 4096
    """

    classes: tuple[int, ...] = default_classes()
    delay_line: int = 16
    delay_bytes: int = 16 << 10
    quarantine: int = 0
    quarantine_bytes: int = 1 << 20
    stack_depth: int = 1024
    stack_bytes: int = 256 << 10
    refill_batch: int = 64
    zero_on_free: int = 0
    retain_bytes: int = 32 << 20
    retain_share: int = 100
    retain_ms: int = 1000
    randomise: int = 0
    guards: bool = False
    guard_slabs: int = 0
    guard_empty: bool = True
    check_on_reuse: int = 0
    canaries: bool = False
    check_copies: bool = False
    quarantine_random: bool = False
    large_quarantine: int = 0
    large_delay: int = 512 << 10
    history: bool = False
    side_bytes: int = 0
    sample_rate: int = 0
    sample_slots: int = 64
    reserve: int = 1 << 38

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int):
                raise StrategyError(f"{name} is {value!r}; it must be a whole number")
            if not least <= value <= most:
                raise StrategyError(f"{name} is {value}; it must be from {least} to {most}")
        object.__setattr__(self, "classes", tuple(self.classes))
        self._check_classes()

    def _check_classes(self) -> None:
        if not 1 <= len(self.classes) <= CLASSES_MAX:
            raise StrategyError(f"there are {len(self.classes)} classes; there must be from 1 to {CLASSES_MAX}")
        previous = 0
        for size in self.classes:
            if not isinstance(size, int) or size % GRANULE or size <= 0:
                raise StrategyError(f"class {size!r} must be a positive multiple of {GRANULE}")
            if size <= previous:
                raise StrategyError(f"class {size} follows {previous}; classes must increase")
            previous = size
        if previous != SMALL_MAX:
            raise StrategyError(
                f"the last class is {previous}; it must be {SMALL_MAX}, so that every small size has one"
            )

    @property
    def quarantine_length(self) -> int:
        """Q: frees of its class between the free of a block and the first reuse of its memory, at least.

        In full up to quarantine_limit bytes. A quarantine that gives out random slots promises nothing.
        """
        return self.delay_line + (0 if self.quarantine_random else self.quarantine)

    @property
    def quarantine_limit(self) -> int:
        """The largest slot size up to which every class has the delay line and the quarantine in full length.

        0 where the usable size of a block does not tell its class: under canaries, and of a sampled block.

        >>> Strategy().quarantine_limit
        1024
        """
        limit = 0
        if self.canaries or self.sample_rate:
            return 0
        for size in self.classes:
            # A line of one slot is never shortened.
            if self.delay_line > 1 and self.delay_line * size > self.delay_bytes:
                break
            if self.quarantine > 1 and not self.quarantine_random and self.quarantine * size > self.quarantine_bytes:
                break
            limit = size
        return limit

    def shape(self, *, slots: int = 3, sizes: int = 1, threads: int = 1, slot_size: int = GRANULE) -> Shape:
        """What a model of the core under this strategy needs to know, for a bounded arena.

        slots, sizes, threads: of the model's arena, with one client on each thread. slot_size: bytes of its slots, on
        which the length of delay line and quarantine depends.

        >>> Strategy().shape(slots=20).wait, Strategy().shape(slots=20, slot_size=4096).wait
        (16, 4)
        """
        from spec.model.shape import Shape

        line = 1 << (self.delay_line - 1).bit_length() if self.delay_line else 0
        while line > 1 and min(line, self.delay_line) * slot_size > self.delay_bytes:
            line //= 2
        fits = max(1, self.quarantine_bytes // slot_size)
        return Shape(
            slots=slots,
            sizes=sizes,
            clients=threads,
            threads=threads,
            delay_line=min(line, self.delay_line),
            quarantine=min(self.quarantine, fits),
            quarantine_random=self.quarantine_random,
        )

    @classmethod
    def default(cls) -> Self:
        """What the core does unless told otherwise: secure where that costs nothing measurable."""
        return cls()

    @classmethod
    def hardened(cls) -> Self:
        """Everything the core has against exploitation, at the price of time and memory.

        >>> Strategy.hardened().canaries
        True
        """
        return cls(
            delay_line=16,
            quarantine=8,
            quarantine_bytes=32 << 10,
            quarantine_random=True,
            zero_on_free=SMALL_MAX,
            check_on_reuse=1024,
            canaries=True,
            check_copies=True,
            randomise=1,
            guards=True,
            guard_slabs=4,
            large_quarantine=64 << 20,
        )

    @classmethod
    def sampled(cls) -> Self:
        """The default, and a small random share of the blocks on guarded pages: for production.

        >>> Strategy.sampled().to_environment()
        'sample_rate=32768'
        """
        return cls(sample_rate=32768)

    @classmethod
    def named(cls, name: str) -> Self:
        """A preset by its name, or a strategy from a TOML file: `default`, `hardened`, `sampled` or a path.

        Raises: StrategyError, OSError, UnicodeDecodeError.

        >>> Strategy.named("sampled") == Strategy.sampled()
        True
        """
        if name in PRESETS:
            return getattr(cls, name)()  # type: ignore[no-any-return]
        return cls.load(name)

    def with_(self, **changes: Any) -> Self:
        """A strategy with some knobs changed.

        >>> Strategy().with_(guards=True).guards
        True
        """
        return replace(self, **changes)

    def to_environment(self) -> str:
        """The value of M4ALLOC_STRATEGY: the knobs that differ from the default, as key=value with commas.

        >>> Strategy(delay_line=32, guards=True).to_environment()
        'delay_line=32,guards=1'
        """
        default = type(self)()
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(default, field.name):
                text = "/".join(map(str, value)) if field.name == "classes" else str(int(value))
                parts.append(f"{field.name}={text}")
        return ",".join(parts)

    def to_toml(self) -> str:
        """The strategy as TOML, every knob on a line.

        >>> Strategy.from_toml(Strategy.hardened().to_toml()) == Strategy.hardened()
        True
        """
        lines = ["[strategy]"]
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool):
                text = str(value).lower()
            else:
                text = str(list(value)) if field.name == "classes" else str(value)
            lines.append(f"{field.name} = {text}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, name: str = "strategy") -> Self:
        """Read what to_toml writes; knobs left out have their default. name: of the file, for messages.

        Raises: StrategyError for malformed TOML, unknown knobs and values out of range.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StrategyError(f"{name}: {error}") from error
        table = document.get("strategy", document)
        known = {field.name for field in fields(cls)}
        for key in table:
            if key not in known:
                raise StrategyError(f"{name}: unknown knob {key!r}; there are {', '.join(sorted(known))}")
        try:
            return cls(**table)
        except (StrategyError, TypeError) as error:
            raise StrategyError(f"{name}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file. Raises: StrategyError, OSError."""
        return cls.from_toml(Path(path).read_text(), str(path))
