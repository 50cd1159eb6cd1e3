"""The report as one HTML page: the tables of the terminal, and the pictures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from m4alloc.bench import text
from m4alloc.bench.report import BenchReport
from m4alloc.view.html import Html, Page, Section, figure, join, listing
from m4alloc.view.svg import Element

CAPTIONS = {
    "cpu_time": "Median of the rounds, quartiles as error bars; x: it failed there.",
    "peak_memory": "Peak resident memory, median of the rounds.",
    "time_and_memory": "Lower left is better. Bars are the quartiles of the rounds.",
    "memory_over_time": "Resident memory of the program's own process.",
    "threads": "Wall time; a straight rise is perfect scaling.",
    "latency": "The cost of reading the clock is taken off; max includes interrupts by the system.",
    "heap_size": "Random blocks of 16 bytes to 1 KiB, replaced at random.",
}


def page(report: BenchReport, drawn: Mapping[str, Element]) -> str:
    """The page as text."""
    shown = [figure(image, CAPTIONS[name]) for name, image in drawn.items()]
    parts = [
        ("Tables", text.tables(report)),
        ("binary_tree", [text.headline(report)]),
        ("Single calls", [text.latency(report)]),
        ("Size of the heap", [text.heap_sizes(report)]),
        ("Remarks", [text.remarks(report)]),
    ]
    sections = [Section("Compared", listing("\n".join(text.header(report))))]
    sections += [Section("Pictures", join(shown))] if shown else []
    for heading, blocks in parts:
        body = [listing("\n".join(block)) for block in blocks if block]
        sections += [Section(heading, Html(join(body)))] if body else []
    failed = bool(report.errors)
    verdict = "an allocator failed" if failed else "interrupted" if report.interrupted else ""
    command = shlex.join(["m4alloc", "bench", *(["--", *report.command] if report.command else [])])
    return Page("Allocators side by side", verdict, "bad" if failed else "warn", command, sections).write()
