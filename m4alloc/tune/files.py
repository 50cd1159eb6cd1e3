"""The files of a tuning: the strategy, the report as JSON and HTML, and each picture as SVG and PNG."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from m4alloc.trace.whole import write_whole
from m4alloc.tune.page import page, pictures
from m4alloc.tune.report import NOTHING, UNDECIDED, TuneReport
from m4alloc.view.png import PngError, png
from m4alloc.view.svg import document


def write(report: TuneReport, folder: Path) -> TuneReport:
    """Write everything into `folder`, and return the report that names the files. Raises OSError. Cost: 3 s.

    strategy.toml is what is recommended: the default's when that stays, and absent when nothing was found; after
    an interrupt, the best that was verified, or what was there before. Each file is written as a whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(report)
    notes = list(report.notes)
    files = []
    strategy = folder / "strategy.toml"
    if report.chosen or report.verdict not in (NOTHING, UNDECIDED):
        files.append(strategy)
        write_whole(strategy, f"# m4alloc tune: {report.verdict}\n{report.strategy.to_toml()}")
    elif not report.interrupted:
        strategy.unlink(missing_ok=True)  # of an earlier tuning: what is there is what is recommended
    if report.library:
        files.append(Path(report.library))
    for name, image in drawn.items():
        files.append(folder / f"{name}.svg")
        write_whole(files[-1], document(image))
        try:
            write_whole(folder / f"{name}.png", png(image))
            files.append(folder / f"{name}.png")
        except PngError as error:
            notes += [str(error)] if str(error) not in notes else []
    files += [folder / "report.json", folder / "report.html"]
    told = replace(report, notes=tuple(notes), files=tuple(map(str, files)))
    write_whole(folder / "report.html", page(told, drawn))
    write_whole(folder / "report.json", json.dumps(told.to_json(), indent=1) + "\n")
    return told
