"""Exact answers about a workload, each from one pass over it: what no search has to find, and how far a strategy is.

    curves_pieces      what is counted: stretches of blocks' lives at one size
    curves_live        live bytes over time, and their peak: a lower bound of any footprint
    curves_demand      how much of each size, by requests, byte-seconds or at the peak
    curves_classes     the size classes that waste least, for every number of them
    curves_slabs       slabs of each class: bounds, and a packing that knows the future
    curves_stacks      misses of the thread stacks at every depth; the best depths for a budget
    curves_quarantine  windows against memory
    curves_pages       timers, limits and calls that give pages back

docs/exact-answers.md defines each. m4alloc.tune.exact gathers them for one workload.
"""

from m4alloc.tune.curves_classes import ClassCurve, ClassRules, class_curve, representable_size, slab_overhead
from m4alloc.tune.curves_demand import Demand, Weight
from m4alloc.tune.curves_live import LiveCurve, live_curve
from m4alloc.tune.curves_pages import (
    Gaps,
    Prices,
    Releases,
    Retained,
    TimerCurve,
    idle_gaps,
    release_curve,
    retained_curve,
    timer_curve,
)
from m4alloc.tune.curves_pieces import Pieces, pieces
from m4alloc.tune.curves_quarantine import (
    CountedPoint,
    QuarantineCurve,
    QuarantinePoint,
    counted_curve,
    held_slots,
    quarantine_curve,
)
from m4alloc.tune.curves_slabs import SlabBound, SlabBounds, best_slab_bytes, default_slab_bytes, slab_bounds
from m4alloc.tune.curves_stacks import (
    Depths,
    StackCurve,
    best_depths,
    class_delays,
    depths_by_hull,
    stack_curves,
    strategy_depths,
)

__all__ = [
    "ClassCurve",
    "ClassRules",
    "CountedPoint",
    "Demand",
    "Depths",
    "Gaps",
    "LiveCurve",
    "Pieces",
    "Prices",
    "QuarantineCurve",
    "QuarantinePoint",
    "Releases",
    "Retained",
    "SlabBound",
    "SlabBounds",
    "StackCurve",
    "TimerCurve",
    "Weight",
    "best_depths",
    "best_slab_bytes",
    "class_curve",
    "class_delays",
    "counted_curve",
    "default_slab_bytes",
    "depths_by_hull",
    "held_slots",
    "idle_gaps",
    "live_curve",
    "pieces",
    "quarantine_curve",
    "release_curve",
    "representable_size",
    "retained_curve",
    "slab_bounds",
    "slab_overhead",
    "stack_curves",
    "strategy_depths",
    "timer_curve",
]
