"""A history that people look at: the list of its events, which prints as a heap script and in notebooks as a table."""

from __future__ import annotations

from spec.event import Event


class History(list[Event]):
    """Events in the order in which they began; a list like any other.

    >>> from spec.event import Function
    >>> print(History([Event(Function.MALLOC, size=24, result=0x1000), Event(Function.FREE, address=0x1000)]))
    a = malloc 24 -> 0x1000
    free a
    """

    def __str__(self) -> str:
        """The lines of the heap script that tells it.  Raises ValueError when the events are out of order."""
        from spec.script_picture import text

        return text(self)

    def _repr_html_(self) -> str:
        """For notebooks: a row an event, blocks called by their names in the script."""
        from spec.script_picture import history

        return history(self)
