"""The pytest plugin: `heap` is a fresh arena, `m4alloc_monitored` watches programs; their marks fail what they should
and no more, and they cost nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import _m4alloc_pytest
import m4alloc.monitor.run
import m4alloc.monitor.text

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["pytester"]
assert m4alloc.monitor.run  # loaded for good: pytester unloads what a run imported, and numpy is not loaded twice
INSTALLED = any(entry.name == "m4alloc" for entry in entry_points(group="pytest11"))
PLUGIN = [] if INSTALLED else ["-p", "_m4alloc_pytest"]


class Runner:
    """Runs the text of a test module with the plugin, and gives what pytest printed."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def run(self, text: str, *arguments: str, **outcomes: int) -> str:
        self.pytester.makepyfile("import pytest\nimport unittest\n" + text)
        plain = [*PLUGIN, "-p", "no:cacheprovider", "--strict-markers", *arguments]
        done = self.pytester.runpytest_inprocess(*plain)
        if outcomes:
            done.assert_outcomes(**outcomes)
        return done.stdout.str() + done.stderr.str()


@pytest.fixture
def tests(pytester: pytest.Pytester) -> Runner:
    return Runner(pytester)


def test_heap_is_an_arena_of_its_own_for_each_test_and_closed_after(tests: Runner) -> None:
    text = """
kept = []
def test_first(heap):
    import m4alloc
    assert type(heap) is m4alloc.Arena and heap.stats().live_blocks == 0
    heap.malloc(24)
    kept.append(heap)
def test_second(heap):
    assert heap is not kept[0] and heap.stats().live_blocks == 0 and kept[0].closed
"""
    printed = tests.run(text, passed=2)
    assert "blocks left live in heap" in printed
    assert "::test_first: 1 block, 24 bytes" in printed


def test_blocks_that_are_freed_are_not_reported(tests: Runner) -> None:
    text = """
@pytest.mark.no_leaks
def test_all(heap):
    with heap.malloc(24), heap.calloc(3, 8):
        pass
    block = heap.realloc(heap.aligned_alloc(64, 100), 1000)
    heap.free(block)
"""
    assert "left live" not in tests.run(text, passed=1)


def test_no_leaks_lists_what_is_live_and_who_asked_for_it(tests: Runner) -> None:
    text = """
def make(heap):
    return heap.malloc(3 << 20)
@pytest.mark.no_leaks
def test_leaks(heap):
    first = heap.malloc(24)
    make(heap)
"""
    printed = tests.run(text, failed=1)
    assert "no_leaks: 2 blocks, 3.00 MiB (3,145,752 bytes) of heap still live" in printed
    assert "  24 bytes at 0x" in printed
    assert f"from {tests.pytester.path.name}" not in printed, "paths are those of the root"
    assert ".py:8" in printed
    assert ".py:5" in printed


def test_a_fixture_has_until_its_teardown_to_free_its_blocks(tests: Runner) -> None:
    text = """
@pytest.fixture
def tidy(heap):
    with heap.malloc(24) as block:
        yield block
@pytest.fixture
def untidy(heap):
    return heap.malloc(40)
@pytest.mark.no_leaks
def test_tidy(tidy): pass
@pytest.mark.no_leaks
def test_untidy(untidy): pass
"""
    printed = tests.run(text, passed=2, errors=1)
    assert "no_leaks: 1 block, 40 bytes of heap still live" in printed


def test_peak_counts_what_is_live_at_once_and_total_everything(tests: Runner) -> None:
    text = """
def use(heap, times):
    for _ in range(times):
        with heap.malloc(1024):
            pass
@pytest.mark.heap_limit(peak="1 KiB", total="10 KiB")
def test_within(heap): use(heap, 10)
@pytest.mark.heap_limit(peak=1023)
def test_above_the_peak(heap): use(heap, 1)
@pytest.mark.heap_limit(total="10 KiB")
def test_above_the_total(heap): use(heap, 11)
"""
    printed = tests.run(text, passed=1, failed=2)
    assert "heap_limit: 1 KiB were live at once; the peak allowed is 1023 bytes" in printed
    assert "reached by 1 KiB at " in printed
    assert "heap_limit: 11 KiB were asked for in all; the total allowed is 10 KiB" in printed


def test_a_realloc_counts_the_new_block_and_no_longer_the_old(tests: Runner) -> None:
    text = """
@pytest.mark.heap_limit(peak=200, total=300)
def test_grows(heap):
    heap.free(heap.realloc(heap.malloc(100), 200))
"""
    tests.run(text, passed=1)


def test_the_nearest_mark_wins_for_each_limit(tests: Runner) -> None:
    text = """
pytestmark = pytest.mark.heap_limit(peak=10, total=100)
@pytest.mark.heap_limit(peak=50)
def test_wider(heap): heap.free(heap.malloc(50))
@pytest.mark.heap_limit(peak=500)
def test_total_stays(heap): heap.free(heap.malloc(101))
"""
    assert "101 bytes were asked for in all" in tests.run(text, passed=1, failed=1)


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("heap_limit('10 MiB')", "heap_limit('10 MiB') does not say of what: heap_limit(peak=...)"),
        ("heap_limit(peak='10 MBit')", "heap_limit(peak='10 MBit'): '10 MBit' is no number of bytes; wanted is an int"),
        ("heap_limit(peak=-1)", "heap_limit(peak=-1): -1 is no number of bytes"),
        ("heap_limit(total=True)", "heap_limit(total=True): True is no number of bytes"),
        ("heap_limit(most=3)", "heap_limit(most=...) sets no limit"),
        ("heap_limit()", "heap_limit() sets no limit"),
        ("no_leaks(3)", "no_leaks takes no arguments"),
    ],
)
def test_a_mark_that_says_nothing_is_an_error_that_names_the_test(tests: Runner, mark: str, message: str) -> None:
    printed = tests.run(f"@pytest.mark.{mark}\ndef test_it(heap): pass\n", errors=1)
    assert f"::test_it: {message}" in printed


def test_a_mark_on_a_test_without_heap_is_an_error_and_one_on_its_module_is_not(tests: Runner) -> None:
    text = """
pytestmark = pytest.mark.no_leaks
def test_other(): pass
@pytest.mark.heap_limit(peak=10)
def test_marked(): pass
"""
    printed = tests.run(text, passed=1, failed=1)
    assert "::test_marked: heap_limit is about the fixture heap, which this test does not use" in printed


def test_the_defaults_are_set_in_the_configuration(tests: Runner) -> None:
    tests.pytester.makeini(
        "[pytest]\nm4alloc_heap_limit_peak = 1 kB\nm4alloc_no_leaks = true\nm4alloc_heap_capacity = 1 MiB\n"
    )
    text = """
def test_capacity(heap):
    with pytest.raises(MemoryError):
        heap.malloc(2 << 20)
def test_peak(heap): heap.free(heap.malloc(1001))
@pytest.mark.heap_limit(peak=2000)
def test_wider(heap): heap.free(heap.malloc(1001))
def test_leaks(heap): heap.malloc(3)
"""
    tests.run(text, passed=2, failed=2)


def test_a_limit_in_the_configuration_that_says_nothing_is_a_usage_error(tests: Runner) -> None:
    tests.pytester.makeini("[pytest]\nm4alloc_heap_limit_total = much\n")
    printed = tests.run("def test_it(): pass")
    assert "ERROR: m4alloc_heap_limit_total: 'much' is no number of bytes; wanted is an int of bytes" in printed


def test_unittest_cases_are_held_to_their_marks_too(tests: Runner) -> None:
    text = """
@pytest.mark.usefixtures("take")
class TestCases(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, heap):
        self.heap = heap
    def test_tidy(self):
        self.heap.free(self.heap.malloc(24))
    @pytest.mark.no_leaks
    def test_leaks(self):
        self.heap.malloc(24)
"""
    assert "no_leaks: 1 block, 24 bytes" in tests.run(text, passed=1, failed=1)


def test_the_tests_own_failure_is_told_before_its_leaks(tests: Runner) -> None:
    text = """
@pytest.mark.no_leaks
def test_it(heap):
    heap.malloc(24)
    assert heap is None
"""
    printed = tests.run(text, failed=1)
    assert "assert <Arena with 1 live blocks" in printed
    assert "1 block, 24 bytes of heap still live" in printed
    assert "no_leaks:" not in printed


def test_a_view_of_a_block_that_outlives_the_test_is_no_error(tests: Runner) -> None:
    text = """
views = []
def test_it(heap):
    block = heap.malloc(24)
    views.append(memoryview(block))
def test_next(heap):
    views[0][0] = 1
"""
    tests.run(text, passed=2)


def test_the_blocks_of_many_threads_are_counted(tests: Runner) -> None:
    text = """
import threading
@pytest.mark.heap_limit(total=8000)
@pytest.mark.no_leaks
def test_it(heap):
    def work():
        for _ in range(100):
            heap.free(heap.malloc(20))
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
    tests.run(text, passed=1)


def test_under_xdist_the_workers_leaks_are_listed_once(tests: Runner) -> None:
    pytest.importorskip("xdist", reason="needs pytest-xdist: pip install pytest-xdist")
    text = "def test_one(heap): heap.malloc(24)\ndef test_two(heap): pass\n"
    printed = tests.run(text, "-n1", passed=2)
    assert printed.count("::test_one: 1 block, 24 bytes") == 1


def test_the_marks_and_the_fixture_are_documented_where_pytest_lists_them(tests: Runner) -> None:
    assert "@pytest.mark.heap_limit(peak=None, total=None): the test fails if it asks" in tests.run("", "--markers")


def test_pytest_starts_without_importing_anything_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        "    assert config.pluginmanager.has_plugin('m4alloc') or config.pluginmanager.has_plugin('_m4alloc_pytest')\n"
        "    heavy = {'m4alloc', 'spec', 'capability', 'numpy', 'hypothesis'} & set(sys.modules)\n"
        "    print('loaded:', sorted(heavy))\n"
    )
    command = [sys.executable, "-m", "pytest", *PLUGIN, "--collect-only", "-q", "-p", "no:hypothesispytest"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), ("1B", 1), ("2 kB", 2000), ("2KiB", 2048), ("0.5 GiB", 1 << 29), (" 3 tib ", 3 << 40)],
)
def test_sizes_are_read_with_their_units(text: str, number: int) -> None:
    assert _m4alloc_pytest.bytes_of(text) == number


def test_the_page_shows_what_its_tests_print(pytester: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    pytester.path.joinpath("test_join.py").write_text(blocks[0])
    done = pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", "--strict-markers")
    done.assert_outcomes(failed=2)
    printed = re.sub(r"0x[0-9a-f]+", "0x", done.stdout.str())
    for line in re.sub(r"0x[0-9a-f]+", "0x", blocks[1]).splitlines():
        assert line in printed.splitlines()


MONITOR = pytest.mark.skipif(
    shutil.which("cc") is None or not (ROOT / "m4alloc" / "libm4monitor.so").exists(),
    reason="apt install gcc, make build",
)
RIGHT = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *name = malloc(8), line[8] = "";
    name[0] = argc > 1 ? argv[1][0] : 'x';
    if (fgets(line, sizeof line, stdin) != NULL)
        name[0] = line[0];
    printf("%c\\n", name[0]);
    AGAIN;
    free(name);
    return RESULT;
}
"""
GIVEN = ["-O1", "-DAGAIN=(void)0", "-DRESULT=0"]
TWICE = ["-O1", "-DAGAIN=free(name)", "-DRESULT=0"]


@MONITOR
class TestMonitored:
    @pytest.fixture(autouse=True)
    def source(self, pytester: pytest.Pytester) -> None:
        pytester.makefile(".c", right=RIGHT)

    def test_a_program_is_compiled_and_run_with_its_arguments_and_its_stdin(self, tests: Runner) -> None:
        text = f"""
def test_it(m4alloc_monitored):
    program = m4alloc_monitored.compile("right.c", flags={GIVEN})
    one, other = program.run("a"), program.run(input="b")
    assert one.findings == [] and one.status == 0 and one.report.rebuilt
    assert (one.stdout, other.stdout) == ("a\\n", "b\\n")
    assert m4alloc_monitored.last is other
    assert repr(one) == "<right: status 0, no finding>"
"""
        tests.run(text, passed=1)

    def test_the_story_of_a_finding_is_in_the_report_of_the_test_that_fails(self, tests: Runner) -> None:
        text = f"""
def test_fails(m4alloc_monitored):
    assert m4alloc_monitored.compile("right.c", flags={TWICE}).run().findings == []
def test_expects_it(m4alloc_monitored):
    run = m4alloc_monitored.compile("right.c", flags={TWICE}).run()
    assert [one.class_ for one in run.findings] == ["double-free"]
"""
        printed = tests.run(text, failed=1, passed=1)
        assert printed.count("- Captured m4alloc monitor call -") == 1
        assert "\ndouble-free: " in printed
        assert "m4alloc monitor: VIOLATED: 1 double-free in right" in printed

    def test_a_property_is_watched_besides_the_usual_ones(self, tests: Runner) -> None:
        text = f"""
def test_it(m4alloc_monitored):
    program = m4alloc_monitored.compile("right.c", flags={GIVEN}, property="[](malloc -> [] !free)")
    assert program.run().findings[0].class_ == "property"
"""
        tests.run(text, passed=1)

    def test_a_program_that_is_there_is_run_as_it_is(self, tests: Runner) -> None:
        text = """
def test_it(m4alloc_monitored):
    run = m4alloc_monitored.program("/bin/true").run()
    assert run.findings == [] and not run.report.rebuilt
"""
        tests.run(text, passed=1)

    def test_the_mark_runs_a_program_before_the_test(self, tests: Runner) -> None:
        text = f"""
@pytest.mark.m4alloc_monitor("right.c", "q", flags={GIVEN})
def test_right(m4alloc_monitored):
    assert m4alloc_monitored.last.stdout == "q\\n"
@pytest.mark.m4alloc_monitor("right.c", flags={TWICE})
def test_wrong():
    raise NotImplementedError("not reached")
@pytest.mark.m4alloc_monitor("right.c", flags=["-DAGAIN=(void)0", "-DRESULT=7"])
def test_another_status():
    raise NotImplementedError("not reached")
"""
        printed = tests.run(text, passed=1, failed=2)
        assert "m4alloc_monitor: <right: status 1, 1 double-free>" in printed
        assert "m4alloc_monitor: right.c ended with status 7" in printed
        assert "NotImplementedError" not in printed

    def test_what_does_not_compile_fails_with_the_compilers_words(self, tests: Runner) -> None:
        text = """
def test_it(m4alloc_monitored):
    m4alloc_monitored.compile("right.c", flags=["-DAGAIN=no_such_name", "-DRESULT=0"])
"""
        printed = tests.run(text, failed=1)
        assert "right.c does not compile:" in printed and "no_such_name" in printed

    def test_a_program_that_does_not_end_is_ended(self, tests: Runner) -> None:
        text = """
def test_it(m4alloc_monitored):
    m4alloc_monitored.compile("right.c", flags=["-DAGAIN=for(;;)", "-DRESULT=0"]).run(timeout=0.5)
"""
        assert "right was ended: it took longer than 0.5 s" in tests.run(text, failed=1)

    def test_misuse_is_an_error_of_the_test(self, tests: Runner) -> None:
        text = """
@pytest.mark.m4alloc_monitor
def test_mark():
    pass
def test_source(m4alloc_monitored):
    m4alloc_monitored.compile("right.py")
"""
        printed = tests.run(text, errors=1, failed=1)
        told = "m4alloc_monitor() names no program: m4alloc_monitor('program.c', 'argument', property=...)"
        assert f"::test_mark: {told}" in printed
        assert "ValueError: no C or C++ source: right.py" in printed
