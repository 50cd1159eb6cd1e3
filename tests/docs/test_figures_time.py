"""The figures of the chapter on time say what the logic says."""

from __future__ import annotations

import re

import pytest

from docs import figures_time
from m4alloc.view.svg import Element
from spec.ltl.evaluate import holds
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse, parse_word
from spec.properties import find


def texts(picture: Element) -> list[str]:
    """Every line of text in a picture, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.write())


def test_the_last_row_of_the_table_of_truth_is_the_formula_at_each_position() -> None:
    word = parse_word("malloc; access; free; malloc; cycle{access; 1}")
    formula = parse("[](malloc -> <>free)")
    rows = figures_time.truth_rows(formula, word)
    assert rows[-1] == (str(formula), [holds(formula, word, at) for at in range(6)])
    said = texts(figures_time.truth())
    assert (said.count("true"), said.count("false")) == (
        sum(value for _, values in rows for value in values),
        sum(not value for _, values in rows for value in values),
    )


def test_every_event_is_in_the_word_of_one_address_and_of_one_block() -> None:
    for index in ("address", "block"):
        words = figures_time.words_of(index).values()
        assert sum(len(word.letters) for word in words) == len(figures_time.STREAM)
    assert len(figures_time.words_of("block")) == 3


def test_the_run_of_the_monitor_is_drawn_state_by_state() -> None:
    machine = monitor(find("F1").formula)
    run = machine.run(parse_word("malloc; access; free; malloc; free; access; access"))
    digits = [text for text in texts(figures_time.stepped()) if text.isdigit()]
    assert [int(digit) for digit in digits[-len(run) :]] == run
    assert texts(figures_time.stepped())[-1] == "false"


def test_an_embedded_picture_takes_the_colours_of_the_page() -> None:
    drawn = figures_time.automata().write()
    assert "var(--ink)" in drawn
    assert "currentColor" not in drawn
    assert figures_time.three().write().count("var(--bad)") >= 1


@pytest.mark.parametrize("figure", [figures_time.automata, figures_time.three])
def test_the_title_of_an_embedded_picture_is_left_out(figure: object) -> None:
    assert callable(figure)
    assert not [text for text in texts(figure()) if text.startswith(("automaton:", "monitor:"))]
