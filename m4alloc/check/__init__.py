"""Hold an allocator, or a program's run on one, to the specification.

The public names below are loaded when they are first used, as those of `m4alloc` are; each verb's module is imported
when it is used, so that importing the package needs neither Hypothesis nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from m4alloc import _lazy

if TYPE_CHECKING:
    from m4alloc.check.capability_strategies import capabilities as capabilities
    from m4alloc.check.capability_strategies import perms as perms
    from m4alloc.check.check_library import holds as holds
    from m4alloc.check.check_library import replay as replay
    from m4alloc.check.machine import AllocatorMachine as AllocatorMachine
    from m4alloc.check.request_strategies import requests as requests
    from m4alloc.check.script_strategies import scripts as scripts

__getattr__, __dir__, _names = _lazy.attach(
    __name__,
    {
        # one allocator
        "holds": "m4alloc.check.check_library:holds",
        "replay": "m4alloc.check.check_library:replay",
        # for Hypothesis
        "AllocatorMachine": "m4alloc.check.machine:AllocatorMachine",
        "capabilities": "m4alloc.check.capability_strategies:capabilities",
        "perms": "m4alloc.check.capability_strategies:perms",
        "requests": "m4alloc.check.request_strategies:requests",
        "scripts": "m4alloc.check.script_strategies:scripts",
    },
)
__all__ = [name for name in _names if name != "__version__"]
