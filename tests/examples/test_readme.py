"""Every example is listed with what one learns, says how it is run, and is a program of one page."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))


def test_the_page_lists_every_example_once_and_nothing_else() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(
        line.split("](")[0][3:] for line in page.splitlines() if line.startswith("| [") and ".py]" in line
    ) == [program.name for program in PROGRAMS]
    assert all((EXAMPLES / link.partition(")")[0]).exists() for link in page.split("](")[1:])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_an_example_is_a_page_with_a_main_and_a_test(program: Path) -> None:
    text = program.read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line]) <= 88
    assert 'if __name__ == "__main__":' in text
    assert Path(__file__).with_name(f"test_{program.name}").exists()
