"""What the oracle says of the allocators that Debian packages: the table in docs/oracle.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.check.search import find_history

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
PACKAGES = {"libjemalloc.so.2": "libjemalloc2", "libmimalloc.so.2": "libmimalloc2.0"}


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "standard", "rule"),
    [
        ("system", "c17,glibc", None),
        ("system", "posix", "realloc-zero"),
        ("libjemalloc.so.2", "c17", "result-aligned-fundamental"),
        ("libjemalloc.so.2", "c23", "result-aligned-as-requested"),
        ("libmimalloc.so.2", "c17", "result-aligned-fundamental"),
        ("libmimalloc.so.2", "posix", "calloc-overflow-refused"),
    ],
)
def test_what_is_found_depends_on_the_standard(name: str, standard: str, rule: str | None) -> None:
    path = name if name == "system" else str(LIBRARIES / name)
    if name != "system" and not Path(path).exists():
        pytest.skip(f"{path} is not installed: apt-get install {PACKAGES[name]}")
    with Foreign(path) as target:
        found = find_history(target, 200, terms=Terms(standard))
    assert (found and found.broken.rule.name) == rule, str(found)
