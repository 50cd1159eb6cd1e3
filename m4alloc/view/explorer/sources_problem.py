"""What cannot be shown, and why."""

from __future__ import annotations


class ViewError(ValueError):
    """An input or an option is at fault; the message says which, what is wrong, and what would be right."""
