"""Collects the Python examples in Markdown pages as tests: one test a page, its examples share their names."""

from __future__ import annotations

import doctest
import gc
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from unittest import mock

import pytest

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ExampleError(Exception):
    """An example printed something else than its page says."""


class Page(pytest.File):
    """A Markdown page; its examples are the fenced blocks that contain `>>>`."""

    def collect(self) -> Iterator[pytest.Item]:
        text = self.path.read_text(encoding="utf-8")
        parser, examples = doctest.DocTestParser(), []
        for block in FENCE.finditer(text):
            first_line = text.count("\n", 0, block.start(2))
            for example in parser.get_examples(block[2], str(self.path)):
                example.lineno += first_line
                examples.append(example)
        if examples:
            yield Examples.from_parent(self, name=self.path.name, examples=examples)


class Examples(pytest.Item):
    """All examples of one page, in order."""

    def __init__(self, *, examples: list[doctest.Example], **keywords: object) -> None:
        super().__init__(**keywords)
        self.examples = examples

    def runtest(self) -> None:
        report: list[str] = []
        test = doctest.DocTest(self.examples, {"__name__": "__main__"}, self.name, str(self.path), 0, None)
        flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
        # a library that an example builds is built quickly
        with mock.patch.dict(os.environ, {"CFLAGS": os.environ.get("CFLAGS", "-O0")}):
            doctest.DocTestRunner(optionflags=flags).run(test, out=report.append)
        if report:
            raise ExampleError("".join(report))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: str | None = None) -> str:
        return str(excinfo.value) if isinstance(excinfo.value, ExampleError) else str(super().repr_failure(excinfo))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Page.from_parent(parent, path=file_path) if file_path.suffix == ".md" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays to the end: the garbage collector need not go through it, now or in any test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
