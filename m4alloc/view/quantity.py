"""Numbers as people read them.

Sizes are decimal (1 kB is 1000 bytes), because they stand beside times and counts, not beside page tables.
"""

from __future__ import annotations

import math

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def significant(value: float, digits: int = 3) -> str:
    """Write `value` with `digits` significant digits, never in exponent form, with thousands separated.

    >>> significant(11.24), significant(0.0456), significant(684118), significant(0)
    ('11.2', '0.0456', '684,118', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    magnitude = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - magnitude) if magnitude < digits else value
    if rounded != 0:
        magnitude = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits - 1 - magnitude)}f}"


def number(value: int) -> str:
    """A count, with thousands separated.

    >>> number(684118)
    '684,118'
    """
    return f"{value:,d}"


def plural(value: int, noun: str, nouns: str = "") -> str:
    """A count and what it counts.

    >>> plural(1, "process", "processes"), plural(2, "request"), plural(0, "block")
    ('1 process', '2 requests', '0 blocks')
    """
    return f"{value:,d} {noun if value == 1 else nouns or noun + 's'}"


def size(value: float) -> str:
    """Bytes in the largest decimal unit that keeps the number at least one, to three digits.

    >>> size(0), size(999), size(1000), size(31_000), size(11_240_000), size(999_950)
    ('0 B', '999 B', '1.00 kB', '31.0 kB', '11.2 MB', '1.00 MB')
    """
    sign, rest = ("-" if value < 0 else ""), abs(value)
    if rest < 1000:
        return f"{sign}{rest:.0f} B" if round(rest) < 1000 else f"{sign}1.00 kB"
    for unit in _SIZE_UNITS[1:]:
        rest /= 1000
        # 999.5 would print as "1,000 kB": go on to the next unit.
        if rest < 999.5 or unit == _SIZE_UNITS[-1]:
            return f"{sign}{significant(rest)} {unit}"
    raise AssertionError("unreachable")


def brief(text: str) -> str:
    """The same number without trailing zeros after its point, for the ticks of an axis.

    >>> brief("2.00 MB"), brief("2.50 MB"), brief("200 kB")
    ('2 MB', '2.5 MB', '200 kB')
    """
    number_part, space, unit = text.partition(" ")
    if "." in number_part:
        number_part = number_part.rstrip("0").rstrip(".")
    return number_part + space + unit


def binary_size(value: int) -> str:
    """A power-of-two size in binary units, exactly: the names of size groups and histogram bins.

    >>> binary_size(16), binary_size(1024), binary_size(262144), binary_size(1536)
    ('16 B', '1 KiB', '256 KiB', '1536 B')
    """
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    index = 0
    while value and value % 1024 == 0 and index + 1 < len(units):
        value //= 1024
        index += 1
    return f"{value} {units[index]}"


def duration(seconds: float) -> str:
    """A time in the largest of ns, us, ms, s and min that keeps the number at least one.

    >>> duration(1.234), duration(0.0456), duration(3.2e-9), duration(125)
    ('1.23 s', '45.6 ms', '3.20 ns', '2 min 5 s')
    """
    if seconds >= 119.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes:,d} min {rest} s"
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= 0.9995 * factor:
            return f"{significant(seconds / factor)} {unit}"
    return f"{significant(seconds / 1e-9)} ns"


def ratio(value: float) -> str:
    """A ratio to two decimals, the figure of a comparison.

    >>> ratio(1), ratio(0.698)
    ('1.00', '0.70')
    """
    return f"{value:.2f}"


def percent(fraction: float) -> str:
    """A fraction of one as per cent, to one decimal.

    >>> percent(0.061), percent(1)
    ('6.1 %', '100.0 %')
    """
    return f"{100 * fraction:.1f} %"
