"""Gates: several candidates put to their gates at the same time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from m4alloc.strategy import Strategy
from m4alloc.tune.prove_result import Proof

Judge = Callable[[Strategy], Proof]
PATIENCE = 0.2
"""Seconds between two looks whether the user has interrupted."""


class GateError(RuntimeError):
    """A process that judged a candidate ended without a word; the message has its status, or what it raised."""


def proofs(
    strategies: Sequence[Strategy],
    judge: Judge,
    *,
    workers: int = 1,
    stop: object = (),
    done: Callable[[int], None] = lambda _: None,
) -> list[Proof | None]:
    """What `judge` says of each, in their order; None for those that an interrupt came before.

    workers: processes at most; with one, everything is judged in this one. stop: true once the user has interrupted;
    what is under way is then ended. done: told how many are judged. The processes are forked, so that what `judge`
    holds is not copied. Raises: what judge raises, by one worker; GateError with its text, by several.

    >>> from m4alloc.tune.prove import prove
    >>> found = proofs([Strategy(), Strategy(delay_line=1)], lambda one: prove(one, gates=("static",)), workers=2)
    >>> [proof.verdict.value for proof in found if proof]
    ['HOLDS', 'VIOLATED']
    """
    found: list[Proof | None] = [None] * len(strategies)
    if workers == 1:
        for place, one in enumerate(strategies):
            if stop:
                break
            found[place] = judge(one)
            done(place + 1)
        return found
    waiting = list(enumerate(strategies))[::-1]
    running: dict[Any, tuple[int, Any]] = {}
    context = multiprocessing.get_context("fork")
    try:
        while (waiting or running) and not stop:
            while waiting and len(running) < workers:
                place, one = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_judged, args=(theirs, judge, one))
                process.start()
                theirs.close()
                running[ours] = place, process
            for pipe in wait(list(running), PATIENCE):
                place, process = running.pop(pipe)
                found[place] = _heard(pipe, process)  # type: ignore[arg-type]
                done(sum(one is not None for one in found))
    finally:
        for pipe, (_, process) in running.items():
            process.terminate()
            process.join()
            pipe.close()
    return found


def _heard(pipe: Connection, process: Any) -> Proof:
    try:
        told = pipe.recv()
    except EOFError:
        process.join()
        raise GateError(f"a process that verified a candidate ended with status {process.exitcode}") from None
    finally:
        pipe.close()
    process.join()
    if isinstance(told, str):
        raise GateError(told)
    assert isinstance(told, Proof)
    return told


def _judged(pipe: Connection, judge: Judge, strategy: Strategy) -> None:
    """The life of a process: it judges one candidate."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the terminal; the parent ends what is under way
    try:
        pipe.send(judge(strategy))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
