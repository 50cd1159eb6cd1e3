"""Bytes as text that can stand in a page: 13 bits as two characters, none of which means anything to HTML.

The 91 characters are those that can be printed, but for the space, `<`, `&` and `"`: so the text can stand in an
element and, as a page inside a page does, in an attribute, and grows nowhere.
"""

from __future__ import annotations

import numpy as np

DIGITS = "".join(chr(code) for code in range(ord("!"), ord("~") + 1) if chr(code) not in '"&<')
_BASE = len(DIGITS)
_CHARACTERS = np.frombuffer(DIGITS.encode(), np.uint8)


def armoured(data: bytes) -> str:
    """The bytes as text, longer by three thirteenths: two characters for 13 bits, one for the rest if 6 bits hold it.

    >>> armoured(b"heap"), len(armoured(bytes(1300)))
    ('Hd`UT', 1600)
    """
    words = -(-8 * len(data) // 13)
    rows = -(-len(data) // 13)
    # A column more, so that the last word has three bytes to be taken from as well.
    block = np.zeros((rows, 14), np.uint32)
    block[:, :13] = np.frombuffer(data + bytes(13 * rows - len(data)), np.uint8).reshape(rows, 13)
    found = np.empty((rows, 8), np.uint32)
    for place in range(8):
        byte, skipped = divmod(13 * place, 8)
        three = block[:, byte] << 16 | block[:, byte + 1] << 8 | block[:, byte + 2]
        found[:, place] = three >> (11 - skipped) & 8191
    told = found.reshape(-1)[:words]
    pairs = np.column_stack((told // _BASE, told % _BASE)).reshape(-1)
    if words and 8 * len(data) - 13 * (words - 1) <= 6:
        pairs = np.append(pairs[:-2], told[-1] >> 7)
    return _CHARACTERS[pairs].tobytes().decode()


def bare(text: str) -> bytes:
    """What `armoured` was given.  Raises ValueError: it is no such text."""
    bits = count = 0
    found = bytearray()
    if strange := set(text) - set(DIGITS):
        raise ValueError(f"{min(strange)!r} is no character of a packed heap")
    values = [DIGITS.index(character) for character in text]
    for place in range(0, len(values), 2):
        pair = values[place : place + 2]
        word, width = (pair[0] * _BASE + pair[1], 13) if len(pair) == 2 else (pair[0], 6)
        bits, count = bits << width | word, count + width
        while count >= 8:
            count -= 8
            found.append(bits >> count)
            bits &= (1 << count) - 1
    return bytes(found)
