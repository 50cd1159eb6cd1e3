"""A temporal property of one's own, on what a program really did: no block of a request outlives it.

You learn to say an order in time as a formula, to label a program, and to read a verdict. The server below keeps its
answers in an arena; one kind of request forgets its buffer, another gives it back when the request is over.
Run it: python examples/temporal_property.py
"""

from __future__ import annotations

import m4alloc
from spec.ltl.monitor import monitor
from spec.properties import find
from spec.property_verdict import evaluate

PROPERTIES = {
    "freed before the request ends": "address: [](malloc -> (!request_end U free))",
    "no malloc between requests": "thread: (!malloc W request_start) && [](request_end -> (!malloc W request_start))",
    "every block is freed": "freed-eventually",
    "freed once, and only what was handed out": "no-double-free",
}


def serve(arena: m4alloc.Arena, requests: list[str]) -> None:
    """A small server. What it allocates, the arena records; that a request begins or ends, it says itself."""
    for request in requests:
        m4alloc.label("request_start")
        buffer = arena.malloc(64 + len(request))
        memoryview(buffer)[: len(request)] = request.encode()
        if request.startswith("GET"):
            arena.free(buffer)
        m4alloc.label("request_end")
        if request.startswith("PUT"):
            arena.free(buffer)  # too late


def judged(requests: list[str]) -> None:
    """Run the server, and evaluate every property on the history."""
    print(f"\n{len(requests)} requests: {', '.join(requests)}")
    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        serve(arena, requests)
    for event in events:
        # Events are numbered when they begin; the numbers left out are those of calls that have returned.
        said = event.label or f"{event.function.name.lower()}({event.size or hex(event.address)})"
        print(f"  {event.begin:>2}. {said}")
    for name, text in PROPERTIES.items():
        verdict = evaluate(find(text), events)
        where = f" at {verdict.witness}" if verdict.witness else ""
        print(f"  {verdict.answer.value:9} {name}{where}")


def main() -> None:
    """Three runs, and the size of the monitor that would watch the first property while a program runs."""
    judged(["GET /a", "GET /b"])
    judged(["GET /a", "PUT /b"])
    judged(["GET /a", "HEAD /b"])
    machine = monitor(find(PROPERTIES["freed before the request ends"]).formula)
    print(f"\nas a monitor the first property is a table of {len(machine.verdict)} states")


if __name__ == "__main__":
    main()
