"""The report as text, pictures, page and files: nothing is left out, nothing covers anything."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from m4alloc.bench import files, text
from m4alloc.bench.draw import CHARACTER, Box
from m4alloc.bench.job import Job
from m4alloc.bench.measure import Bench
from m4alloc.bench.page import page
from m4alloc.bench.pictures import beside, pictures
from m4alloc.bench.report import BenchReport
from m4alloc.bench.state import Measured
from m4alloc.view.png import PngError
from m4alloc.view.svg import document
from tests.m4alloc.bench.test_run import EVERYTHING, small

PICTURES = {"cpu_time", "peak_memory", "time_and_memory", "memory_over_time", "threads", "latency", "heap_size"}


@pytest.fixture
def report(invented: Callable[[Job], Measured]) -> BenchReport:
    """Of made-up figures, with everything there is."""
    return small(among=["m4alloc", "m4alloc:hardened"], rounds=3, **EVERYTHING)


def test_ratios_are_to_the_same_round_and_means_are_geometric(report: BenchReport) -> None:
    place = 1 + sum(map(ord, "m4alloc")) % 7
    factors = [0.5 + 0.1 * place + 0.01 * number for number in range(3)]
    found = report.programs[0].result("m4alloc").cpu
    assert found is not None and found.ratio.median == pytest.approx(factors[1])
    assert (found.ratio.low, found.ratio.high) == pytest.approx((factors[0] + 0.005, factors[2] - 0.005))
    mean = next(one for one in report.means[0].results if one.allocator == "m4alloc")
    assert mean.count == 3 and mean.cpu is not None and mean.cpu.median == pytest.approx(factors[1])


def test_the_text_has_every_table(report: BenchReport) -> None:
    shown = "\n".join(text.lines(report))
    for title in ("CPU time", "wall time", "peak memory", "calls a second", "binary_tree, mallocs", "single calls"):
        assert f"\n{title}" in shown, title
    assert "\ngeometric mean of 3, all " in shown and "\ngeometric mean of 2, without fixed " in shown
    assert shown.endswith("\nfixed, that is, no allocator can move them: fixed")
    assert "1.6 ns a call" in shown and "live blocks" in shown


def test_a_failure_is_a_dash_and_a_star(invented: Callable[[Job], Measured], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Bench, launcher: object, executables: object, job: Job) -> Measured:
        return Measured("ended with SIGSEGV") if (job.name, job.peer) == ("fixed", "m4alloc") else invented(job)

    monkeypatch.setattr(Bench, "measure", failing)
    report = small(among=["m4alloc"], rounds=2)
    rows = text.lines(report)
    assert next(row for row in rows if row.startswith("fixed  ")).split()[-1] == "-"
    assert next(row for row in rows if row.startswith("geometric mean of 3")).endswith("*")
    assert "error: m4alloc: fixed: ended with SIGSEGV" in rows
    assert "* over the programs that it did not fail: not to be compared" in rows
    assert "x" in [part.text for part in ElementTree.fromstring(document(pictures(report)["cpu_time"])).iter()]


def test_every_picture_is_well_formed_and_tells_its_figures(report: BenchReport) -> None:
    drawn = pictures(report)
    assert set(drawn) == PICTURES
    for name, image in drawn.items():
        root = ElementTree.fromstring(document(image))
        words = {"".join(part.itertext()) for part in root.iter() if part.tag.endswith("text")}
        assert {"m4alloc", "m4alloc:hardened"} <= words, name
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for part in root.iter():
            assert -1 <= float(part.get("x", 0)) <= width and -1 <= float(part.get("y", 0)) <= height, (
                name,
                part.attrib,
            )


def test_names_of_points_cover_neither_points_nor_each_other() -> None:
    box = Box(0, 0, 600, 400)
    spots = [(f"allocator {number}", 200.0 + 7 * number, 200.0 + 3 * number) for number in range(6)]
    points = [(x - 6, x + 6, y - 6, y + 6) for _, x, y in spots]
    areas = [
        (left, left + CHARACTER * len(name), base - 10, base + 3) for name, left, base in beside(spots, points, box)
    ]
    for number, one in enumerate(areas):
        for other in [*points, *areas[:number]]:
            assert not (one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3])


def test_the_files_are_the_report(report: BenchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'm4alloc[plot]'")
    monkeypatch.setattr(files, "pictures", lambda report: {"cpu_time": pictures(report)["cpu_time"]})
    told = files.write(report, tmp_path)
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names == ["cpu_time.png", "cpu_time.svg", "report.html", "report.json"]
    assert sorted(Path(file).name for file in told.files) == names
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(told.to_json()))
    assert (tmp_path / "cpu_time.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_pictures_are_svg(
    report: BenchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(image: object) -> bytes:
        raise PngError("PNG needs matplotlib")

    monkeypatch.setattr(files, "png", without)
    told = files.write(report, tmp_path)
    assert {path.stem for path in tmp_path.glob("*.svg")} == PICTURES and not list(tmp_path.glob("*.png"))
    assert told.notes == ("PNG needs matplotlib",)


def test_the_page_holds_the_tables_and_the_pictures(report: BenchReport) -> None:
    written = page(report, pictures(report))
    assert written.count("<figure>") == len(PICTURES) and "geometric mean of 3, all" in written


def test_an_allocator_alone_has_no_pictures_of_ratios(invented: Callable[[Job], Measured]) -> None:
    assert set(pictures(small(rounds=1))) == set()
