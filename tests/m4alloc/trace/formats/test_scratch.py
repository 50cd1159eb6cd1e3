"""Pipes, devices and links as inputs and outputs: read once, written whole, and still there afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from m4alloc.trace.formats import FormatError, convert, open_history, open_tree
from m4alloc.trace.whole import replacing

CHURN = Path(__file__).resolve().parents[3] / "vectors" / "formats" / "churn.mtrace"
COMMAND = [sys.executable, "-m", "m4alloc", "convert"]


def test_standard_input_and_output_are_a_pipeline(tmp_path: Path) -> None:
    words = [*COMMAND, "-", "-", "--to", "csv"]
    done = subprocess.run(words, input=CHURN.read_bytes(), capture_output=True, timeout=60)
    convert(CHURN, tmp_path / "out.csv")
    assert done.stdout == (tmp_path / "out.csv").read_bytes()
    assert b"/dev/stdin (mtrace): 49 events" in done.stderr


def test_standard_output_is_added_to_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("ab") as log:
        subprocess.run([*COMMAND, str(CHURN), "-", "--to", "rep"], stdout=log, stderr=subprocess.DEVNULL, timeout=60)
    assert (tmp_path / "log").read_text().startswith("before\n1\n26\n48\n")


def test_a_named_pipe_is_read_and_messages_name_it(tmp_path: Path) -> None:
    pipe = tmp_path / "lab.rep"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=("1\n1\n1\n1\na 0 8\n",)).start()
    assert open_history(pipe).source == pipe
    threading.Thread(target=pipe.write_text, args=("1\n1\n1\n1\na 0 8\n",)).start()
    tree = open_tree(pipe)
    assert (tree.path, tree.traces[0].path) == (pipe, pipe)
    threading.Thread(target=pipe.write_text, args=("1\n1\n1\n1\na 0 x\n",)).start()
    with pytest.raises(FormatError) as caught:
        open_history(pipe)
    assert str(caught.value).startswith(f"{pipe}:5:5: expected a number of bytes")


def test_a_pipe_as_output_gets_the_whole_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "out.rep"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    report = convert(CHURN, pipe)
    reader.join(10)
    assert got[0].startswith("1\n26\n48\n")
    assert (report.written_bytes, pipe.is_fifo()) == (len(got[0]), True)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_a_device_is_written_to_and_a_full_disk_is_told() -> None:
    convert(CHURN, "/dev/null", target_format="csv")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left on device"):
        convert(CHURN, "/dev/full", target_format="csv")
    assert Path("/dev/full").is_char_device()


def test_a_link_stays_and_leads_to_the_output(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "there" / "real.csv")
    convert(CHURN, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "there" / "real.csv").read_bytes().startswith(b"function,")


def test_an_interrupt_leaves_the_old_output_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    program = (
        "import pathlib, sys, time; from m4alloc.trace.whole import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as file: file.write(b'half'); print(flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "old")]


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "out"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
