"""m4alloc: a fast, checked memory allocator, and the tools that hold it and others to the specification.

Every name below is loaded when it is first used: `import m4alloc` alone imports neither `spec` nor `capability`
nor numpy, so that the allocator stays cheap to import where nothing is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from m4alloc import _lazy

if TYPE_CHECKING:
    from m4alloc import ltl as ltl  # a verb and a module of functions: typed as the module
    from m4alloc._backend import backend as backend
    from m4alloc.arena import Arena as Arena
    from m4alloc.arena import Block as Block
    from m4alloc.arena import Stats as Stats
    from m4alloc.arena import aligned_alloc as aligned_alloc
    from m4alloc.arena import calloc as calloc
    from m4alloc.arena import free as free
    from m4alloc.arena import malloc as malloc
    from m4alloc.arena import realloc as realloc
    from m4alloc.arena import usable_size as usable_size
    from m4alloc.bench.run import bench as bench
    from m4alloc.check.attack import attack as attack
    from m4alloc.check.check_library import check as check
    from m4alloc.check.verify import verify as verify
    from m4alloc.doctor import doctor as doctor
    from m4alloc.grade.grade import grade as grade
    from m4alloc.labels import label as label
    from m4alloc.labels import labelled as labelled
    from m4alloc.lib import lib as lib
    from m4alloc.lib import recorder as recorder
    from m4alloc.model.check import model as model
    from m4alloc.monitor.run import monitor as monitor
    from m4alloc.new.project import new as new
    from m4alloc.run import run as run
    from m4alloc.statistics import Statistics as Statistics
    from m4alloc.strategy import Strategy as Strategy
    from m4alloc.superopt.run import superopt as superopt
    from m4alloc.trace.formats.convert import convert as convert
    from m4alloc.trace.record import record as record
    from m4alloc.trace.replay import replay as replay
    from m4alloc.tune.run import tune as tune
    from m4alloc.vectors.run import vectors as vectors
    from m4alloc.view.explorer.run import view as view
    from spec.error import Misuse as Misuse
    from spec.error import Violation as Violation

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    {
        "backend": "m4alloc._backend:backend",
        # the allocator from Python
        "Arena": "m4alloc.arena:Arena",
        "Block": "m4alloc.arena:Block",
        "Stats": "m4alloc.arena:Stats",
        "Statistics": "m4alloc.statistics:Statistics",
        "Strategy": "m4alloc.strategy:Strategy",
        "malloc": "m4alloc.arena:malloc",
        "calloc": "m4alloc.arena:calloc",
        "realloc": "m4alloc.arena:realloc",
        "aligned_alloc": "m4alloc.arena:aligned_alloc",
        "usable_size": "m4alloc.arena:usable_size",
        "free": "m4alloc.arena:free",
        # what a program says of itself
        "label": "m4alloc.labels:label",
        "labelled": "m4alloc.labels:labelled",
        # the specification's own errors
        "Misuse": "spec.error:Misuse",
        "Violation": "spec.error:Violation",
        # the verbs
        "attack": "m4alloc.check.attack:attack",
        "bench": "m4alloc.bench.run:bench",
        "check": "m4alloc.check.check_library:check",
        "convert": "m4alloc.trace.formats.convert:convert",
        "doctor": "m4alloc.doctor:doctor",
        "grade": "m4alloc.grade.grade:grade",
        "lib": "m4alloc.lib:lib",
        "ltl": "m4alloc.ltl:ltl",
        "model": "m4alloc.model.check:model",
        "monitor": "m4alloc.monitor.run:monitor",
        "new": "m4alloc.new.project:new",
        "record": "m4alloc.trace.record:record",
        "recorder": "m4alloc.lib:recorder",
        "replay": "m4alloc.trace.replay:replay",
        "run": "m4alloc.run:run",
        "superopt": "m4alloc.superopt.run:superopt",
        "tune": "m4alloc.tune.run:tune",
        "vectors": "m4alloc.vectors.run:vectors",
        "verify": "m4alloc.check.verify:verify",
        "view": "m4alloc.view.explorer.run:view",
    },
)
