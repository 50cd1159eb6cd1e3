"""What `check` says of this core and of the allocators of Debian: the departures of docs/check.md, no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.check.check_library import check

ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
PACKAGES = {
    "libjemalloc.so.2": "libjemalloc2",
    "libmimalloc.so.2": "libmimalloc2.0",
    "libtcmalloc_minimal.so.4": "libtcmalloc-minimal4",
}
NAMES = {
    "m4alloc": "this core",
    "system": "glibc 2.36",
    "libjemalloc.so.2": "jemalloc 5.3.0",
    "libmimalloc.so.2": "mimalloc 2.0.9",
    "libtcmalloc_minimal.so.4": "gperftools 2.10 (tcmalloc)",
}
"""What the table calls each, in Debian 12."""


def departures() -> dict[str, set[str]]:
    """The rules that each allocator breaks, as docs/check.md says it."""
    text = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    rows = text.split("<!-- departures -->\n")[1].split("\n<!-- end of departures -->")[0].splitlines()[2:]
    told: dict[str, set[str]] = {}
    for row in rows:
        name, rule, *_ = (cell.strip(" `") for cell in row.strip("|").split("|"))
        told.setdefault(name, set()).update({rule} - {"none"})
    return told


def test_the_table_is_of_the_allocators_that_are_tried() -> None:
    assert set(departures()) == set(NAMES.values())


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_an_allocator_departs_from_its_standard_as_documented_and_no_further(name: str) -> None:
    path = name if name in ("m4alloc", "system") else str(LIBRARIES / name)
    if name in PACKAGES and not Path(path).exists():
        pytest.skip(f"{path} is not installed: apt-get install {PACKAGES[name]}")
    report = check(path, budget=240, output=None)
    broken = {written.finding.rule.name for written in report.findings}
    assert broken == departures()[NAMES[name]], [str(written.finding) for written in report.findings]
    assert all(written.finding.replays == 10 for written in report.findings)
    assert report.depth >= 4
