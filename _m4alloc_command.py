"""The command `m4alloc`, from its first moment: until its modules are there, Ctrl-C ends it with 130 and no traceback.

It stands outside the package because importing the package is most of what there is to wait for.
"""

from __future__ import annotations

import os
import signal


def main() -> int:
    """Run the command line; its exit status."""

    def leave(number: int, frame: object) -> None:
        os.write(2, b"m4alloc: interrupted\n")
        os._exit(130)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from m4alloc.cli.main import main

    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return main()
