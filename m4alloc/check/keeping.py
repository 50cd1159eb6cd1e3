"""Where a run's recording, its excerpt and its page are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from m4alloc.check.excerpt import excerpt
from m4alloc.check.images import Judged
from m4alloc.check.verify_report import VerifyReport
from m4alloc.trace.format import TraceError
from m4alloc.trace.index import TraceTree, images_beside, read_index
from m4alloc.trace.whole import write_whole


class VerifyError(ValueError):
    """The request itself was at fault: what was wrong, and what would be right."""


def lasting_place(output: str | os.PathLike[str] | None, keep_trace: str | os.PathLike[str] | None) -> Path:
    """Where a recording would be kept; refuses to overwrite what is no recording, before anything runs."""
    for path in (Path(name) for name in (output, keep_trace) if name is not None):
        if path.is_dir():
            raise VerifyError(f"{path} is a directory; a file is needed")
        if path == Path(keep_trace or "") and path.exists() and not path.is_file():
            raise VerifyError(f"{path} is no file, but a device or a pipe; a recording is written to a file")
        if not path.parent.is_dir():
            raise VerifyError(f"{path.parent} is not a directory: {path} cannot be written there")
    place = Path(keep_trace) if keep_trace is not None else Path(output or "verify.html").with_suffix(".m4t")
    if place.exists():
        try:
            read_index(place)
        except TraceError as error:
            raise VerifyError(f"{place} exists and is not a recording; it is kept") from error
    return place


def keep(index: Path, place: Path) -> None:
    """Move a recording to where it lasts, in place of an older one. Raises OSError; then nothing of it is there."""
    for old in images_beside(place) if place.exists() else ():
        old.unlink()
    moves = {image: place.with_name(image.name) for image in images_beside(index)} | {index: place}
    try:
        for one, there in moves.items():
            shutil.move(one, there)
    except OSError:
        for there in moves.values():
            there.unlink(missing_ok=True)
        raise


def write_script(report: VerifyReport, tree: TraceTree, judged: Sequence[Judged], place: Path) -> str:
    """Write the excerpt of the first violation beside the recording; its name, or "" when there is none."""
    if not report.violations:
        return ""
    first = report.violations[0]
    one = judged[first.image]
    broken = (
        found for found in one.acceptor.violations if found.event is not None and found.event.begin == first.event
    )
    violation = next(broken, None)
    if violation is None:
        return ""
    told = excerpt(one.trace, tree.inherited(one.trace), violation, one.acceptor)
    if not told:
        return ""
    script = place.with_suffix(".heap")
    write_whole(script, told)
    return os.fspath(script)
