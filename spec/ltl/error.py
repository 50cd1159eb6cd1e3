"""What is wrong with a text, or too much to ask: the two errors of this package that are the caller's."""

from __future__ import annotations


class LogicError(ValueError):
    """A formula, word or automaton that cannot be read; the message says where, and what would be right."""

    @classmethod
    def at(cls, text: str, position: int, message: str) -> LogicError:
        """The error at `position` of `text`, with the line it is in and a caret under it.

        >>> print(LogicError.at("p U", 3, "the formula ends here; an operand of U would be right"))
        line 1, column 4: the formula ends here; an operand of U would be right
          p U
             ^
        """
        line = text.count("\n", 0, position) + 1
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", start)
        shown = text[start : end if end >= 0 else len(text)]
        column = position - start
        if len(shown) > 100:
            cut = max(0, column - 60)
            shown, column = "..." * bool(cut) + shown[cut : cut + 100], column - cut + 3 * bool(cut)
        return cls(f"line {line}, column {position - start + 1}: {message}\n  {shown}\n  {' ' * column}^")


class TooLargeError(RuntimeError):
    """The answer would need more states, steps or memory than the bound allows; the message names the bound."""
