"""The exact answers as curves for a picture: where today's strategy stands on each, and where the optimum is."""

from __future__ import annotations

import math

import numpy as np

from m4alloc.bench.draw import Scale, around
from m4alloc.strategy import Strategy
from m4alloc.tune.exact import Exact
from m4alloc.tune.pictures import Panel
from m4alloc.view.quantity import brief, duration, percent, significant, size

DEPTHS = tuple(1 << power for power in range(1, 17))


def exact_panels(answers: Exact, strategy: Strategy) -> tuple[Panel, ...]:
    """Waste against the number of classes, misses of the stacks against depth, memory against the delay line, and what
    a timer costs; those that have anything to show. Cost: that of the answers, when they are not worked out yet.
    """
    made = (
        _classes(answers, strategy),
        _stacks(answers, strategy),
        _delay(answers, strategy),
        _timer(answers, strategy),
    )
    return tuple(one for one in made if one is not None)


def _classes(answers: Exact, strategy: Strategy) -> Panel | None:
    curve = answers.classes
    points = [
        (float(count), curve.share(count)) for count in range(1, len(curve.waste)) if math.isfinite(curve.waste[count])
    ]
    if len(points) < 2:
        return None
    most = max(share for _, share in points[1:]) or 0.01
    x = Scale("classes", 0.0, 65.0, lambda value: f"{value:.0f}")
    y = Scale("wasted, at the optimum", *around([min(1.0, most)], 0), percent)
    sets = answers.suggestions().get("classes", ())
    best = float(len(sets[0])) if sets else None
    held = [(across, min(up, y.high)) for across, up in points]
    return Panel("size classes", x, y, held, now=float(len(strategy.classes)), best=best)


def _stacks(answers: Exact, strategy: Strategy) -> Panel | None:
    curves = answers.stacks
    points = [(float(depth), float(sum(one.misses(depth) for one in curves))) for depth in DEPTHS]
    if not curves or not points[0][1]:
        return None
    x = Scale("stack depth of every class", 2.0, 65536.0, lambda value: f"{value:.0f}", 4)
    y = Scale("misses", *around([up for _, up in points], 0), lambda value: brief(significant(value)))
    return Panel("thread stacks", x, y, points, now=float(max(2, min(65536, strategy.stack_depth))))


def _delay(answers: Exact, strategy: Strategy) -> Panel | None:
    points = [(float(one.count), float(one.held)) for one in answers.counted if one.count > 0]
    if len(points) < 2 or not any(up for _, up in points):
        return None
    x = Scale("frees until reuse", points[0][0], points[-1][0], lambda value: f"{value:.0f}", 4)
    y = Scale("held at most", *around([up for _, up in points], 0), lambda value: brief(size(value)))
    return Panel("delay line and quarantine", x, y, points, now=float(max(1, strategy.quarantine_length)))


def _timer(answers: Exact, strategy: Strategy) -> Panel | None:
    curve = answers.timer
    most = max(2, int(curve.timer_ms[-1]) if len(curve.timer_ms) else 2)
    grid = np.unique(np.geomspace(1, most, 200).astype(np.int64)).tolist()
    points = [(float(ms), curve.at(ms) / 1e6) for ms in grid]
    points = [(ms, cost) for ms, cost in points if math.isfinite(cost)]
    if len({ms for ms, _ in points}) < 2 or not any(cost for _, cost in points):
        return None
    x = Scale("retain_ms", 1.0, max(ms for ms, _ in points), lambda value: f"{value:.0f}", 10)
    y = Scale("cost", *around([cost for _, cost in points], 0), lambda value: brief(duration(value)) if value else "0")
    return Panel(
        *("giving pages back", x, y, points), now=float(max(1, strategy.retain_ms)), best=float(max(1, curve.best_ms))
    )
