"""Interrupting a program as Ctrl-C does, whoever started the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import AnyStr

INTERRUPTIBLE = ("env", "--default-signal=INT")
"""What to put before a command: where the tests were started in the background, SIGINT is ignored and inherited so."""


def interrupt(process: subprocess.Popen[AnyStr], patience: float = 15) -> None:
    """Send SIGINT to the process group until its leader has ended: as a person does who sees no answer.

    patience: seconds after which that person tries again. A signal that arrives between Python's last look and its
    system call is not seen before that call returns, so one may not be enough. The output must fit into the pipes.
    """
    time.sleep(0.2)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
