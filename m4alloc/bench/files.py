"""The files of a report: report.json, report.html, and each picture as SVG and PNG."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from m4alloc.bench.page import page
from m4alloc.bench.pictures import pictures
from m4alloc.bench.report import BenchReport
from m4alloc.trace.whole import write_whole
from m4alloc.view.png import PngError, png
from m4alloc.view.svg import document


def write(report: BenchReport, folder: Path) -> BenchReport:
    """Write everything into `folder`, and return the report that names the files. Raises OSError. Cost: 3 s.

    Each file is written as a whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(report)
    notes = list(report.notes)
    files = [folder / "report.json", folder / "report.html"]
    for name, image in drawn.items():
        files.append(folder / f"{name}.svg")
        write_whole(files[-1], document(image))
        try:
            write_whole(folder / f"{name}.png", png(image))
            files.append(folder / f"{name}.png")
        except PngError as error:
            notes += [str(error)] if str(error) not in notes else []
    told = replace(report, notes=tuple(notes), files=tuple(map(str, files)))
    write_whole(folder / "report.html", page(told, drawn))
    write_whole(folder / "report.json", json.dumps(told.to_json(), indent=1) + "\n")
    return told
