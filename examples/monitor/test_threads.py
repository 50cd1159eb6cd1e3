"""The program's tests in pytest: they pass when it does what it should, and the monitors find nothing."""

import pytest

SOURCES = ("threads.c", "cache.c")
FLAGS = ("-O1", "-pthread")


def test_every_text_arrives(m4alloc_monitored):
    program = m4alloc_monitored.compile(*SOURCES, flags=FLAGS)
    result = program.run(2, 500)
    assert result.findings == []
    assert result.stdout.endswith(" bytes\n")


def test_each_text_is_freed_once(m4alloc_monitored):
    program = m4alloc_monitored.compile(*SOURCES, flags=FLAGS, property=["no-double-free", "[](malloc -> <>free)"])
    assert program.run(1, 100).findings == []


@pytest.mark.parametrize("bug, found", [("USE_AFTER_FREE", "use-after-free"), ("LEAK", "leak")])
def test_a_mistake_is_found(m4alloc_monitored, bug, found):
    program = m4alloc_monitored.compile(*SOURCES, flags=[*FLAGS, f"-DBUG_{bug}"])
    result = program.run(2, 500)
    assert result.findings[0].class_ == found
    assert "cache.c" in result.stderr


@pytest.mark.m4alloc_monitor("single.c", "25")
def test_the_cache_of_one_thread(m4alloc_monitored):
    assert m4alloc_monitored.last.stdout == "25 texts\n"
