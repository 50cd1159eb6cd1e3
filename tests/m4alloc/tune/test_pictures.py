"""The pictures: every candidate that fits is drawn, names stand apart, outliers do not stretch the axes."""

from __future__ import annotations

from m4alloc.bench.draw import Scale
from m4alloc.tune.pictures import Panel, Spot, course, lower_left, panels, pareto
from m4alloc.tune.result import Objectives
from m4alloc.view.svg import document

ONES = [Objectives(0.8 + step / 50, 1.0 - step / 50, 4.0) for step in range(10)]


def test_a_dot_for_each_and_a_line_for_the_front() -> None:
    drawn = document(pareto(ONES, ONES, [Spot("base", Objectives(1.0, 1.0, 4.0), "ink")], 4.0))
    assert drawn.count("<circle") == 21 and ">base<" in drawn


def test_less_secure_ones_are_hollow() -> None:
    hollow = document(pareto([Objectives(0.9, 0.9, 1.0)], [], [], 4.0))
    assert 'fill="none"' in hollow.partition("<circle")[2].partition("/>")[0]


def test_outliers_are_left_out_and_counted() -> None:
    far = [Objectives(50.0, 1.0, 4.0), Objectives(1.0, 40.0, 4.0)]
    drawn = document(pareto([*ONES, *far], ONES, [], 4.0))
    assert drawn.count("<circle") == 20 and "2 candidates are beyond the axes" in drawn


def test_the_edge_is_of_what_no_other_beats_in_both() -> None:
    assert lower_left([Objectives(1, 2, 1), Objectives(1, 1, 9), Objectives(0.5, 3, 1)]) == [
        Objectives(0.5, 3, 1),
        Objectives(1, 1, 9),
    ]


def test_a_line_for_each_method_with_its_name() -> None:
    drawn = document(course("how far", "volume", {"climb": [(1, 1), (2, 1.5)], "random": [(1, 1), (2, 1.1)]}))
    assert ">climb<" in drawn and ">random<" in drawn and drawn.count("<path") >= 2


def test_a_panel_says_where_today_and_the_optimum_are() -> None:
    one = Panel("a curve", Scale("x", 0, 4, str), Scale("y", 0, 4, str), [(0, 4), (4, 0)], now=1.0, best=4.0)
    drawn = document(panels("all", [one, one, one], columns=2))
    assert (drawn.count(">now<"), drawn.count(">best<"), drawn.count(">a curve<")) == (3, 3, 3)
