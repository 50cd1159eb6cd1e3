"""The fork server: loads the allocator under test once and forks a child for each episode.

Run as `python -m m4alloc.check.worker LIBRARY LINK BOARD`, LINK and BOARD being descriptors: a socket of packets
and the shared board. The library is loaded before the first fork and called only after it, so that every episode
begins with a fresh heap. Between a fork and the child's end only the child reads the socket:

    test to server   F fork
    test to child    G carry out the batch on the board   A the one request there   R the batch repeated   Q end
    server to test   H hello: promises and functions, E loading failed   P child's pid   X wait status
    child to test    D batch done
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import struct
import sys

from m4alloc.check.board import Board, Phase
from m4alloc.check.executor import Executor
from m4alloc.check.native import NativeFace
from m4alloc.check.operation import Operation
from m4alloc.check.threads import Turns
from spec.event import Event, Function

PROMISES = struct.Struct("<QQ")


class Child:
    """One episode: a fresh heap, its executor, its threads."""

    def __init__(self, face: NativeFace, board: Board) -> None:
        self.board = board
        self.step = 0
        self.face = face
        self.executor = Executor(face, self.answered)
        self.turns = Turns()

    def answered(self, event: Event) -> None:
        """The allocator has answered; what follows are the client's own accesses."""
        self.board.write(event)
        self.board.mark(self.step, Phase.TOUCHING)

    def batch(self) -> None:
        """Carry out the operations on the board, then compare every live block."""
        board = self.board
        board.written = 0
        operations = board.asked()
        for self.step, operation in enumerate(operations):
            self.run(operation)
        board.mark(len(operations), Phase.TOUCHING)
        for event in self.executor.sweep():
            board.commit(event)
        board.mark(len(operations), Phase.DONE)

    def run(self, operation: Operation) -> list[Event]:
        """Carry out one operation on its thread; a label ends the thread."""
        events: list[Event] = []

        def one() -> None:
            event = self.executor.resolve(operation)
            if event is not None:
                events.extend(self.carry_out(event))

        self.turns.run(operation.thread, one)
        if operation.function is Function.LABEL:
            self.turns.end(operation.thread)
        return events

    def ask(self) -> None:
        """Carry out the one request on the board, which names its block by address."""
        event = self.board.events()[0]
        self.board.written = self.step = 0
        self.turns.run(event.thread, lambda: self.carry_out(event))
        if event.function is Function.LABEL:
            self.turns.end(event.thread)

    def carry_out(self, event: Event) -> list[Event]:
        """Carry out one request on the thread that is running."""
        # The line is there before the call: the request during which the process died is known.
        self.board.write(event)
        self.board.mark(self.step, Phase.CALLING)
        events = self.executor.request(event)
        for seen in events:
            self.board.commit(seen)
        self.board.mark(self.step, Phase.IDLE)
        return events

    def repeat(self, limit: int) -> bytes:
        """Carry out the batch over and over; what it took, as three numbers."""
        operations = self.board.asked()

        def run(operation: Operation) -> list[Event]:
            self.board.written = 0
            return self.run(operation)

        return struct.pack("<QQQ", *self.executor.repeat(operations, limit, run))


def episode(face: NativeFace, board: Board, link: socket.socket) -> None:
    """Serve one episode, then end the process without running anything that belongs to the parent."""
    child = Child(face, board)
    while True:
        message = link.recv(64)
        match message[:1]:
            case b"G":
                child.batch()
                link.send(b"D")
            case b"A":
                child.ask()
                link.send(b"D")
            case b"R":
                link.send(b"D" + child.repeat(struct.unpack("<Q", message[1:])[0]))
            case _:
                os._exit(0)


def ask_promises(face: NativeFace) -> bytes:
    """What the library promises, asked in a child, since to answer it opens its heap; zeros when the child dies."""
    inlet, outlet = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(outlet, PROMISES.pack(*face.promises()))
        finally:
            os._exit(0)
    os.close(outlet)
    os.waitpid(pid, 0)
    said = os.read(inlet, PROMISES.size)
    os.close(inlet)
    return said or bytes(PROMISES.size)


def serve(path: str, link: socket.socket, board: Board) -> None:
    """Fork an episode each time the test asks for one, until it hangs up."""
    try:
        face = NativeFace(path)
    except (OSError, ValueError) as error:
        link.send(b"E" + str(error).encode()[:4000])
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    link.send(b"H" + ask_promises(face) + bytes(sorted(face.functions)))
    gc.disable()
    gc.freeze()
    while link.recv(64)[:1] == b"F":
        pid = os.fork()
        if pid == 0:
            try:
                episode(face, board, link)
            finally:
                os._exit(70)  # an exception in the child itself: EX_SOFTWARE, told apart from every crash
        link.send(b"P" + struct.pack("<i", pid))
        _, status = os.waitpid(pid, 0)
        link.send(b"X" + struct.pack("<i", status))


def main() -> None:
    """Serve on the descriptors that the command line names."""
    path, link, board = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    serve(path, socket.socket(fileno=link), Board(board))


if __name__ == "__main__":
    main()
