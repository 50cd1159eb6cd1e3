from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from m4alloc.view.lasso import lasso
from m4alloc.view.svg import document
from spec.ltl.parser import parse_word
from spec.model.execution import Execution
from spec.model.path import PathSystem
from spec.model.search import check
from spec.model.system import Path, Step
from tests.spec.model.programs import philosophers
from tests.spec.model.systems import TableSystem

SVG = "{http://www.w3.org/2000/svg}"


def drawn(system: object, run: Path) -> ElementTree.Element:
    return ElementTree.fromstring(lasso(system, run, "A <run>").write())  # type: ignore[arg-type, type-var]


def words(root: ElementTree.Element) -> list[str]:
    return ["".join(span.text or "" for span in text.iter(f"{SVG}tspan")) for text in root.iter(f"{SVG}text")]


def test_a_lasso_has_a_dot_a_state_a_line_a_step_and_an_arc_back() -> None:
    run = Path((0, 1, 2), (Step(0, "p"), Step(0, "1"), Step(0, "q")), 1)
    root = drawn(PathSystem(parse_word("p; cycle{1; q}")), run)
    assert len(root.findall(f".//{SVG}circle")) == 3
    assert [word for word in words(root) if word.startswith("path")] == ["path  p", "path  1", "path  q"]
    assert "2: q  q" in words(root)
    curves = [path for path in root.iter(f"{SVG}path") if "C" in path.attrib["d"]]
    assert len(curves) == 1
    dots = [float(dot.attrib["cy"]) for dot in root.iter(f"{SVG}circle")]
    ends = re.findall(r"[-\d.]+", curves[0].attrib["d"])
    assert (float(ends[1]), float(ends[-1])) == (dots[2], dots[1])
    assert root.find(f"{SVG}title").text == "A <run>"  # type: ignore[union-attr]
    assert root.find(f"{SVG}desc").text == "a run that goes back from state 2 to state 1, of 3 states"  # type: ignore[union-attr]


def test_a_run_that_ends_ends_in_a_square_and_tells_its_fault() -> None:
    system = TableSystem([[(0, 1)], [(1, 1)]], faults=frozenset({(1, 0)}))
    result = check(system)
    assert result.counterexample is not None
    root = drawn(system, result.counterexample)
    assert len(root.findall(f".//{SVG}circle")) == 2
    assert "it fails" in words(root)
    assert root.find(f"{SVG}desc").text == "a run that ends, of 3 states"  # type: ignore[union-attr]
    assert not [path for path in root.iter(f"{SVG}path") if "C" in path.attrib["d"]]


def test_a_state_that_stays_has_an_arc_of_its_own() -> None:
    root = drawn(PathSystem(parse_word("p")), Path((0,), (Step(-1, "stays as it is"),), 0))
    curve = next(path for path in root.iter(f"{SVG}path") if "C" in path.attrib["d"])
    start, end = re.findall(r"[-\d.]+", curve.attrib["d"])[1::6][0], re.findall(r"[-\d.]+", curve.attrib["d"])[-1]
    assert float(start) > float(end)


@pytest.mark.parametrize("count", [2, 6])
def test_nothing_is_drawn_outside_of_the_picture(count: int) -> None:
    system = Execution(philosophers(count, ordered=False))
    result = check(system)
    assert result.counterexample is not None
    root = drawn(system, result.counterexample)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for text in root.iter(f"{SVG}text"):
        length = sum(len(span.text or "") for span in text.iter(f"{SVG}tspan"))
        assert 0 <= float(text.attrib["y"]) <= height
        assert float(text.attrib["x"]) + 6.3 * length <= width
    for path in root.iter(f"{SVG}path"):
        numbers = [float(number) for number in re.findall(r"[-\d.]+", path.attrib["d"])]
        assert all(0 <= x <= width for x in numbers[::2]) and all(0 <= y <= height for y in numbers[1::2])


def test_a_long_line_is_cut_and_whole_in_its_tip() -> None:
    text = "word " * 60
    root = drawn(PathSystem(parse_word("p")), Path((0,), (Step(0, text.strip()),), 0))
    step = next(word for word in words(root) if word.startswith("path"))
    assert step.endswith("...") and len(step) < 120
    assert any(tip.text == f"path: {text.strip()}" for tip in root.iter(f"{SVG}title"))


def test_the_picture_is_a_document_of_its_own() -> None:
    system = PathSystem(parse_word("cycle{p}"))
    text = document(lasso(system, Path((0,), (Step(0, "p"),), 0)))
    root = ElementTree.fromstring(text.encode())
    assert root.tag == f"{SVG}svg"
    style = root.find(f"{SVG}style")
    assert style is not None and style.text is not None
    for role in set(re.findall(r"var\((--[a-z0-9-]+)\)", text)):
        assert f"{role}:" in style.text
