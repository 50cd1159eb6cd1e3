"""The child process that runs compiled code: it may crash, its parent may not.

Requests come on standard input and answers go to standard output, both pickled, each after its length in 8 bytes.  A
request is (text, mask): a module with `drive`, and for each input number one byte that says whether to run it.
"""

from __future__ import annotations

import ctypes
import pickle
import struct
import sys
from typing import IO, Any

LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: object) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message; EOFError at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))


def run(text: str, mask: bytes) -> tuple[int, int, int]:
    """The first input on which the two functions of the module give different results, -1 for none; both results."""
    from m4alloc.superopt.toolchain import native

    code = native(text, 1)
    drive = code.callable("drive", ctypes.c_int64, ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64))
    results = (ctypes.c_uint64 * 2)()
    return drive(mask, len(mask), results), results[0], results[1]


def main() -> None:
    """Answer until the parent closes the pipe."""
    while True:
        try:
            text, mask = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: object = run(text, mask)
        except (RuntimeError, ValueError) as error:
            answer = str(error)
        send(sys.stdout.buffer, answer)


if __name__ == "__main__":
    main()
