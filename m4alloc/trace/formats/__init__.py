"""Files that tell a heap's history, in whatever format: read into one `History`, written from one.

For whoever takes histories (pictures, replays, judges):

- `open_history(path)` tells the format from the file's first bytes and its name, reads it, and gives a `History`:
  `history.trace` is a `Trace` as the recorder would have written it (columns: `trace.records`, in the order
  `trace.order()`; texts of labels: `trace.labels`; what ran on what: `trace.command`, `trace.allocator`, `trace.pid`,
  `trace.quarantine`), `history.inherited` the blocks that were there at the start, as allocations. Both go as they are
  to `compile_trace(trace, inherited)`, `Workload.of(trace, inherited)` and whatever else takes a recording.
  `history.events()` are the same as events. `history.whole()` has the inherited blocks as calls before the first.
- What is not known is 0 or -1 in the records, as in a recording: times (`time_ns` all 0: nobody looked at a clock),
  begin and end numbers (all 0: one call after the other), usable sizes (-1), threads (0), call sites (0).
- `history.placed_by` is "" when the addresses are the file's own, else the allocator that was run to get them: formats
  without addresses are placed by the reference policy, `open_history(path, allocator=A)` puts the same requests on
  another allocator. `history.script` is the heap script, when it was one. `history.notes` are sentences for people.
- `open_tree(path)` is `open_index` for every format: for whoever takes recordings of several processes.
- What is wrong with a file is a `TraceError`, with line and column or byte, as it is with a trace.

`convert(source, target)` reads one and writes the other; `m4alloc.trace.formats.registry` lists the formats.
"""

from m4alloc.trace.formats.convert import ConvertReport, convert
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.place import placed
from m4alloc.trace.formats.problem import FormatError, MissingPackageError, UnknownFormatError
from m4alloc.trace.formats.reading import open_history, open_tree

__all__ = [
    "ConvertReport",
    "FormatError",
    "History",
    "MissingPackageError",
    "UnknownFormatError",
    "convert",
    "open_history",
    "open_tree",
    "placed",
]
