"""Open any file that tells a heap's history, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from m4alloc.check.progress import Progress, Silent
from m4alloc.trace.formats.heap_script import of_script
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.m4t import tree_of
from m4alloc.trace.formats.place import REFERENCE, check_allocator, placed
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.formats.registry import by_name, of_input
from m4alloc.trace.formats.scratch import readable
from m4alloc.trace.index import TraceTree


def open_history(
    path: str | os.PathLike[str],
    *,
    format: str = "",
    image: str = "",
    allocator: str | os.PathLike[str] = "",
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> History:
    """Read the history of one process's heap.

    format: a name of m4alloc.trace.formats.registry, "" to tell from the file's first bytes and its name.
    path: a pipe is read to its end first.
    image: of a recording of several images, as `m4alloc convert --image` takes it; "" for the one of most calls.
    allocator: "" for the addresses that the file holds, or the reference policy where it holds none; else the requests
    are made again on "reference", "m4alloc", "system" or the path of a library, and the history is what that replies.
    environment: variables added to those that the library runs with.
    Raises TraceError (FormatError: where and what is wrong; UnknownFormatError; MissingPackageError), AllocatorError,
    LibraryError, OSError.  Cost: of text 1 to 20 us a line; of columns and traces far below that; `placed` in addition.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.rep"
    >>> _ = path.write_text("100\\n2\\n3\\n1\\na 0 24\\na 1 100\\nf 0\\n")
    >>> history = open_history(path)
    >>> [hex(event.result or event.address) for event in history.events()], history.placed_by
    (['0x100000000', '0x100000020', '0x100000000'], 'reference')
    """
    path = Path(path)
    told = progress or Silent()
    name = os.fspath(allocator)
    if name:
        check_allocator(name)
    with readable(path) as file:
        chosen = by_name(format) if format else of_input(file)
        if image and chosen.name != "m4t":
            what = f"only a recording has images, and this is {chosen.title}; leave --image {image} out"
            raise FormatError(path, what)
        history = replace(chosen.read(file, image, told), source=path)
    if history.script is not None and name not in ("", history.placed_by):
        return _scripted(history, name, environment)
    if name or not history.addressed:
        here = name and name == history.placed_by
        return history if here else placed(history, name or REFERENCE, told, environment=environment)
    return history


def open_tree(path: str | os.PathLike[str], *, format: str = "", progress: Progress | None = None) -> TraceTree:
    """A file as `m4alloc.trace.index.open_index` gives a recording: all its images, or the one that it tells of.

    Raises: as `open_history`.

    >>> open_tree("benchmarks/traces/excerpts/perl.m4t.xz").traces[0].used
    106191
    """
    path = Path(path)
    with readable(path) as file:
        chosen = by_name(format) if format else of_input(file)
        if chosen.name == "m4t":
            return replace(tree_of(file), path=path)
        history = open_history(file, format=chosen.name, progress=progress).whole()
    return TraceTree(path, history.trace.command, None, (replace(history.trace, path=path),))


def _scripted(history: History, allocator: str, environment: Mapping[str, str] | None) -> History:
    """The script run on the allocator: misuse, accesses and all, as `m4alloc check --script` does it."""
    from m4alloc.check.check_library import place_of
    from m4alloc.check.foreign import Foreign, WorkerError
    from m4alloc.check.scripted import play
    from m4alloc.check.target import EndedError
    from m4alloc.trace.formats.heap_script import rerun
    from m4alloc.trace.preload import AllocatorError

    script = history.script
    assert script is not None
    if allocator == REFERENCE:
        return rerun(history.source, script)
    try:
        with Foreign(place_of(allocator), timeout=60.0, environment=environment) as foreign:
            events = play(script, foreign).events
    except WorkerError as error:
        raise AllocatorError(str(error)) from error
    except EndedError as error:
        events = error.episode.events
    return of_script(history.source, script, events, allocator)
