"""The bump allocator of "Picking a CHERI Allocator" (ISMM 2023) advances by the size rounded up to 16, but the bounds
of long blocks are rounded to more. The paper's test stops at 20,473 bytes; a property finds malloc(65537)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.isa import MORELLO
from capability.cheri.narrow import representable_length, representable_mask, set_bounds

SIZES = st.builds(lambda power, more: (1 << power) + more, st.integers(4, 17), st.integers(0, 99))


def bump(sizes: list[int], *, by_bounds: bool) -> list[Capability]:
    """Blocks one behind the other, each aligned as its length needs; advancing `by_bounds` mends the allocator."""
    blocks, free = [], 0x10000
    for size in sizes:
        free += -free % max(-representable_mask(size, MORELLO) % 2**64, 16)
        blocks.append(set_bounds(Capability.root(MORELLO.format, address=free), size, MORELLO))
        free += representable_length(size, MORELLO) if by_bounds else size + -size % 16
    return blocks


def no_block_reaches_into_the_next(first: int, second: int, by_bounds: bool) -> None:
    before, after = bump([first, second], by_bounds=by_bounds)
    assert before.top <= after.base, f"malloc({first}) is {before}, and malloc({second}) begins inside it: {after}"


if __name__ == "__main__":
    for name, by_bounds in ("as published", False), ("mended", True):
        tested = given(SIZES, SIZES, st.just(by_bounds))(no_block_reaches_into_the_next)
        try:
            settings(max_examples=1000, derandomize=True, database=None)(tested)()
            print(f"{name}: nothing found")
        except AssertionError as found:
            print(f"{name}: {found}")
