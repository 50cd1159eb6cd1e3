"""The chapters of the book have one form: what one can do afterwards, the text, exercises, answers to compare with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "docs" / "book"
CHAPTERS = sorted(page for page in BOOK.glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_a_chapter_begins_with_what_one_can_do_after_it(chapter: Path) -> None:
    title, opening, _ = chapter.read_text(encoding="utf-8").split("\n\n", 2)
    assert title.startswith("# ")
    assert opening.startswith("> **After this chapter you can** ")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_a_chapter_ends_with_exercises_some_of_which_are_answered_by_running_something(chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")
    exercises = text[text.index("## Exercises\n") :]
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", exercises, re.MULTILINE)}
    assert numbers == set(range(1, len(numbers) + 1)) and len(numbers) >= 4
    answers = re.search(
        r"<details><summary>Answers to ([\d, and]+)</summary>\n\n(.*?)\n</details>", exercises, re.DOTALL
    )
    assert answers is not None
    answered = {int(number) for number in re.findall(r"\d+", answers[1])}
    assert answered <= numbers and len(answered) >= 3
    assert ">>> " in answers[2]


def test_a_chapter_can_be_read_in_one_sitting() -> None:
    words = {chapter.stem: len(chapter.read_text(encoding="utf-8").split()) for chapter in CHAPTERS}
    assert {chapter: count for chapter, count in words.items() if count > 4500} == {}
