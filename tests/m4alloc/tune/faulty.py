"""Simulations that go wrong for some strategies, in a module that worker processes can import."""

import os
import signal
import time
from pathlib import Path

from m4alloc.strategy import Strategy
from m4alloc.tune.example import example_simulate
from m4alloc.tune.result import Simulation
from m4alloc.tune.workload import Workload


def dying(workload: Workload, strategy: Strategy) -> Simulation:
    """The process ends at every strategy with placement 2."""
    if strategy.placement == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return example_simulate(workload, strategy)


def dying_once(workload: Workload, strategy: Strategy) -> Simulation:
    """The process ends at placement 2, the first time; the workload's name is a path that remembers."""
    if strategy.placement == 2 and not Path(workload.name).exists():
        Path(workload.name).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return example_simulate(workload, strategy)


def raising(workload: Workload, strategy: Strategy) -> Simulation:
    """Raises at every strategy with placement 2."""
    if strategy.placement == 2:
        raise ArithmeticError("no such place")
    return example_simulate(workload, strategy)


def without_numba(workload: Workload, strategy: Strategy) -> Simulation:
    """What the simulator says where numba is missing, for all but the baseline."""
    if strategy != Strategy():
        raise ModuleNotFoundError("the simulator needs numba: pip install 'm4alloc[tune]'")
    return example_simulate(workload, strategy)


def slow(workload: Workload, strategy: Strategy) -> Simulation:
    """Takes a tenth of a second."""
    time.sleep(0.1)
    return example_simulate(workload, strategy)


def endless(workload: Workload, strategy: Strategy) -> Simulation:
    """Takes two minutes for every strategy with placement 2."""
    time.sleep(120 if strategy.placement == 2 else 0)
    return example_simulate(workload, strategy)
