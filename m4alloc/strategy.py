"""Strategy: every policy knob of the core as one typed, validated, serialisable value."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from capability.architecture import Architecture
    from spec.allocator import ReferenceAllocator
    from spec.model.shape import Shape

GRANULE = 16
PAGE = 4096
SMALL_MAX = 32768
"""Class sizes are multiples of GRANULE up to this, and of PAGE above; the hot path knows the classes up to this."""
CLASS_MAX = 1 << 20
CLASSES_MAX = 64
UNIT = 65536
"""What the address of a slab's first slot, and its length, are multiples of."""
SLAB_MAX = 64 << 20
DEPTHS = (2, 65536)
LISTS = ("classes", "slab_bytes", "stack_depths")
"""The knobs that are lists of numbers."""
NOT_THE_CORES = ("representable", "tags")
"""What the core need not know: it keeps to the sizes that come of it, and has no such hardware."""


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
    "zero_on_free": (0, CLASS_MAX),
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
    "placement": (0, 2),
    "prefault": (0, 2**30),
    "huge_pages": (0, 2),
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

    classes: slot sizes in bytes, increasing, at most 64 of them: multiples of 16 up to 32,768 and of 4,096 up to
    1,048,576. Requests larger than the last one get a span of their own; it is the large threshold. Those above 32,768
    take the slow path, though without a lock.
    slab_bytes: for each class the bytes of a slab, multiples of 65,536 that hold a slot at least; none given: the least
    power of two that holds eight slots. Where address space or memory is short, slabs are shorter than that.
    stack_depths: for each class the most free slots that a thread keeps at hand, 2 to 65,536; none given: by
    stack_depth and stack_bytes.
    delay_line: slots of a class that a thread frees before the first of them can be handed out again; that long a
    double free is certain to be caught.
    quarantine: further slots of the class, filled with a pattern, that a freed slot waits for; a write after free
    shows when it leaves.
    delay_bytes, quarantine_bytes: the most that either may hold of one class, but one slot at least: above a slot size
    of delay_bytes / delay_line, the latter rounded up to a power of two, the line is shorter.
    stack_depth, stack_bytes: the most free slots, and bytes in them, that a thread keeps at hand for one class; but 16
    slots, or 2 of a class above 32,768 bytes.
    refill_batch: slots taken from a slab at a time; half the depth of the stack at most.
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
    placement: which slab with free slots fills an empty stack: 0: the one that was freed into last; 1: the one at the
    lowest address, so that others come to be empty; 2: the one with the fewest free slots; of 16 at most.
    prefault: that many bytes of a new slab or large block are made resident in one step instead of page by page, where
    its memory is fresh or was given back to the system, and the system has such a step (Linux 5.14).
    huge_pages: 0: the system's own choice; 1: huge pages are asked for, and memory is made accessible by 2 MiB; 2: they
    are refused.
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
    representable: the CHERI format whose capabilities must bound every class exactly, wherever a slab has its slots: a
    name of capability.cheri.formats.FORMATS, or morello, isav9, riscv; "": none. m4alloc.strategy_rules has
    representable_classes, which rounds classes up.
    tags: how memory of tagged hardware is coloured when it is allocated and freed, by the name of a policy of
    capability.mte or capability.adi; "": it is not. The core has no such hardware: it keeps to the sizes, and
    `reference` makes the allocator of the specification that also has the tags.
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
    slab_bytes: tuple[int, ...] = ()
    stack_depths: tuple[int, ...] = ()
    placement: int = 0
    prefault: int = 0
    huge_pages: int = 0
    reserve: int = 1 << 38
    representable: str = ""
    tags: str = ""

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int):
                raise StrategyError(f"{name} is {value!r}; it must be a whole number")
            if not least <= value <= most:
                raise StrategyError(f"{name} is {value}; it must be from {least} to {most}")
        for name in LISTS:
            values = getattr(self, name)
            if not isinstance(values, list | tuple):
                raise StrategyError(f"{name} is {values!r}; it must be a list of numbers")
            object.__setattr__(self, name, tuple(values))
        self._check_classes()
        self._check_slabs()
        self._check_stacks()
        self._check_promise()
        self._check_hardware()

    def _check_classes(self) -> None:
        if not 1 <= len(self.classes) <= CLASSES_MAX:
            raise StrategyError(f"there are {len(self.classes)} classes; there must be from 1 to {CLASSES_MAX}")
        previous = 0
        for size in self.classes:
            if not isinstance(size, int) or size % GRANULE or size <= 0:
                raise StrategyError(f"class {size!r} must be a positive multiple of {GRANULE}")
            if size > SMALL_MAX and size % PAGE:
                raise StrategyError(f"class {size} must be a multiple of {PAGE}, as it is larger than {SMALL_MAX}")
            if size > CLASS_MAX:
                raise StrategyError(f"class {size} must be at most {CLASS_MAX}")
            if size <= previous:
                raise StrategyError(f"class {size} follows {previous}; classes must increase")
            previous = size

    def _check_length(self, name: str) -> None:
        given = len(getattr(self, name))
        if given not in (0, len(self.classes)):
            raise StrategyError(f"{name} has {given} values for {len(self.classes)} classes; one a class, or none")

    def _check_slabs(self) -> None:
        self._check_length("slab_bytes")
        for size, slab in zip(self.classes, self.slab_bytes, strict=False):
            if not isinstance(slab, int) or slab % UNIT or not UNIT <= slab <= SLAB_MAX:
                raise StrategyError(
                    f"slab_bytes of class {size} is {slab!r}; it must be a multiple of {UNIT} from {UNIT} to {SLAB_MAX}"
                )
            if slab < size:
                raise StrategyError(f"slab_bytes of class {size} is {slab}; a slab must hold a slot at least")

    def _check_stacks(self) -> None:
        self._check_length("stack_depths")
        for size, depth in zip(self.classes, self.stack_depths, strict=False):
            if not isinstance(depth, int) or not DEPTHS[0] <= depth <= DEPTHS[1]:
                raise StrategyError(
                    f"stack_depths of class {size} is {depth!r}; it must be from {DEPTHS[0]} to {DEPTHS[1]}"
                )

    def _check_promise(self) -> None:
        smallest = self.classes[0]
        if self.delay_line > 1 and self._ring * smallest > self.delay_bytes:
            raise StrategyError(
                f"delay_bytes is {self.delay_bytes}; the ring of a delay line of {self.delay_line} takes "
                f"{self._ring * smallest} bytes of the smallest class, {smallest}, so no class would have it in full"
            )
        if self.quarantine and self.quarantine_bytes < smallest:
            raise StrategyError(
                f"quarantine_bytes is {self.quarantine_bytes}; a quarantine must hold a slot of the smallest class, "
                f"{smallest}, at least"
            )

    def _check_hardware(self) -> None:
        for name in NOT_THE_CORES:
            if not isinstance(getattr(self, name), str):
                raise StrategyError(f"{name} is {getattr(self, name)!r}; it must be a name, or empty")
        if not self.representable and not self.tags:
            return
        from m4alloc import strategy_rules as rules  # which import capability

        if self.representable:
            rules.check_representable(self.classes, self.representable)
        if self.tags:
            rules.tag_policy(self.tags)

    @property
    def _ring(self) -> int:
        """The slots of a delay line in full: a power of two, as a ring needs no branch to turn then; 0 without one."""
        return 1 << (self.delay_line - 1).bit_length() if self.delay_line else 0

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
            if self.delay_line > 1 and self._ring * size > self.delay_bytes:
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

        line = self._ring
        while line > 1 and line * slot_size > self.delay_bytes:
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

    def reference(self, *, capacity: int = 1 << 30, architecture: Architecture | None = None) -> ReferenceAllocator:
        """The allocator of the specification with these classes and this quarantine, on the hardware that is wanted.

        capacity: bytes of its arena. architecture: instead of the one that representable or tags name.
        Raises: StrategyError when both do; ValueError for a capacity that the architecture cannot have.

        >>> Strategy(tags="scudo").reference(capacity=1 << 20).architecture.granule
        16
        """
        from m4alloc.strategy_rules import architecture_of
        from spec.allocator import ReferenceAllocator
        from spec.policy import SegregatedSizeClasses

        return ReferenceAllocator(
            SegregatedSizeClasses(self.classes),
            architecture_of(self.representable, self.tags) if architecture is None else architecture,
            capacity,
            quarantine=self.quarantine_length,
        )

    def _repr_html_(self) -> str:
        """For notebooks: the knobs unlike the default's, and folded up all of them."""
        from m4alloc.view.notebook import strategy

        return strategy(self)

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

        Without representable and tags, which are not the core's.

        >>> Strategy(delay_line=32, guards=True).to_environment()
        'delay_line=32,guards=1'
        """
        default = type(self)()
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(default, field.name) and field.name not in NOT_THE_CORES:
                text = "/".join(map(str, value)) if field.name in LISTS else str(int(value))
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
            elif isinstance(value, str):
                text = f'"{value}"'
            else:
                text = str(list(value)) if field.name in LISTS else str(value)
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
