"""Where a grade writes to: settled and looked at before anything is graded, so that no work and no file is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from m4alloc.grade.outcome import GradeError
from m4alloc.trace.format import TraceError
from m4alloc.trace.read import Trace
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.target import refuse_to_write

GRADED = ".graded.m4t.xz"
"""How the file of a history on the graded allocator ends: no recording is called so."""
Given = str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class Places:
    """The folder of findings, the page of the grade, and the folder of heaps; None for none. inputs: what is read.

    written: the findings of this run, so that no other of them takes the place of one.
    """

    findings: Path | None
    output: Path | None
    view: Path | None
    inputs: tuple[Path, ...] = ()
    written: set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, findings: Given, output: Given, view: Given, inputs: Sequence[str | os.PathLike[str]]) -> Places:
        """The same as paths. Raises GradeError: nothing can be written there, or what is there would be lost."""
        first, second, third = (None if one is None else Path(one) for one in (findings, output, view))
        places = cls(first, second, third, tuple(Path(one) for one in inputs))
        for folder in (places.findings, places.view):
            if folder is not None:
                refuse_folder(folder)
        if places.output is not None:
            places.refuse_page(places.output)
        return places

    def check_heaps(self, traces: Sequence[str]) -> None:
        """Raise GradeError when the heap of one of these traces has no place in the folder of heaps."""
        if self.view is None:
            return
        for trace in traces:
            page = self.heap(trace)
            if self.output is not None and page.resolve() == self.output.resolve():
                raise GradeError(f"{page} would be both the page of the grade and that of {trace}; choose another name")
            if self.view.is_dir():
                self.refuse_page(page)
                self.refuse_history(self.history(trace))

    def heap(self, trace: str) -> Path:
        """The page on which a trace's heap can be explored."""
        return (self.view or Path()) / f"{trace}.html"

    def history(self, trace: str) -> Path:
        """The file of what the allocator replied on a trace.

        >>> Places(None, None, Path("heaps")).history("git").as_posix()
        'heaps/git.graded.m4t.xz'
        """
        return (self.view or Path()) / f"{trace}{GRADED}"

    def finding(self, trace: str, rule: str) -> Path:
        """A file for the script of a fault: no input, and no other finding of this run.

        >>> places = Places(Path("findings"), None, None)
        >>> [places.finding("a b", "result-disjoint").name for _ in range(2)]
        ['a_b-result-disjoint.heap', 'a_b-result-disjoint-2.heap']
        """
        stem = re.sub(r"[^\w.-]", "_", f"{trace}-{rule or 'exception'}")
        file, times = (self.findings or Path()) / f"{stem}.heap", 1
        while file in self.written or self.is_input(file):
            times += 1
            file = file.with_name(f"{stem}-{times}.heap")
        self.written.add(file)
        return file

    def is_input(self, file: Path) -> bool:
        """Whether it is one of the files that are read, under whatever name."""
        return file.exists() and any(one.exists() and one.samefile(file) for one in self.inputs)

    def refuse_page(self, page: Path) -> None:
        """Raise GradeError when a page cannot be written there, or would replace what is none."""
        try:
            refuse_to_write(page, self.inputs)
        except (ViewError, OSError) as error:
            raise GradeError(str(error)) from error

    def refuse_history(self, file: Path) -> None:
        """Raise GradeError when the file is an input, or no trace."""
        if self.is_input(file):
            raise GradeError(f"{file}: the trace to be graded would be replaced; choose another folder with --view DIR")
        if file.exists():
            try:
                Trace.open(file)
            except (TraceError, OSError) as error:
                message = f"{file}: exists and is no trace; it is kept: choose another folder with --view DIR"
                raise GradeError(message) from error


def refuse_folder(folder: Path) -> None:
    """Raise GradeError when nothing can be written into a folder that is there, or that is still to be made.

    >>> refuse_folder(Path("/dev/null/heaps"))
    Traceback (most recent call last):
    m4alloc.grade.outcome.GradeError: /dev/null is a file; a folder is wanted, there or to be made
    """
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # it is still to be made, if what there is of it is a folder
    except OSError as error:
        raise GradeError(f"{folder}: {error.strerror}; the name of a folder is wanted") from error
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        shown = folder if there == folder.absolute() else there
        raise GradeError(f"{shown} is a file; a folder is wanted, there or to be made")
    if not os.access(there, os.W_OK | os.X_OK):
        raise GradeError(f"{there}: nothing can be written into this folder")
