"""Run one program from a process so small that its own memory does not hide the program's.

A script, not a module to import: `python -I -S launch.py REPORT_FD LD_PRELOAD EXECUTABLE ARGV...`. It writes one
JSON object to REPORT_FD: status (as from waitpid), wall and CPU seconds, the peak resident bytes of the program and
those it waited for, and the floor, the peak that any program started from here has. (Linux counts the pages a child
held between fork and exec into its peak, so a large parent would be the answer for every small program.)
"""

import os
import sys
import time


def main(words: list[str]) -> None:
    """Start, wait, report."""
    report, preload, executable, argv = int(words[0]), words[1], words[2], words[3:]
    environment = dict(os.environ)
    if preload:
        environment["LD_PRELOAD"] = preload
    started = time.monotonic_ns()
    child = os.fork()
    if child == 0:
        os.close(report)
        try:
            os.execve(executable, argv, environment)
        except OSError as error:
            os.write(2, f"{executable}: {error.strerror}\n".encode())
        os._exit(127)
    _, status, usage = os.wait4(child, 0)
    seconds = (time.monotonic_ns() - started) / 1e9
    cpu = usage.ru_utime + usage.ru_stime
    answer = (
        f'{{"status": {status}, "seconds": {seconds!r}, "cpu_seconds": {cpu!r}, '
        f'"peak_bytes": {usage.ru_maxrss * 1024}, "floor_bytes": {_floor()}}}'
    )
    os.write(report, answer.encode())


def _floor() -> int:
    """The peak of a child that does nothing at all."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.wait4(child, 0)[2].ru_maxrss * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
