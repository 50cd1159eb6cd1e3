from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc._accept_heap import CompiledHeap
from spec.acceptor import Acceptor
from spec.event import Event
from spec.heap import Block

class Loop:
    def __init__(
        self,
        heap: CompiledHeap,
        terms: dict[str, Any],
        learn: Callable[[int, Event, Block | None, int], int],
        acceptor: Acceptor | None = None,
        labels: tuple[str, ...] = (),
        progress: Callable[[int], None] | None = None,
    ) -> None: ...
    @property
    def events(self) -> int: ...
    def load(self, data: npt.NDArray[np.uint8], order: npt.NDArray[np.int64] | None = None) -> None: ...
    def run(self, stop: int) -> None: ...
    def finish(self) -> None: ...
    def counts(self) -> list[tuple[int, int, int]]: ...
    def suspects(self, starts: npt.NDArray[np.int64]) -> list[int]: ...
    def tree_suspects(self, skip: int = 0) -> list[int]: ...
