"""The programs whose heaps are recorded, each with two inputs: one to tune on, and one held out."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.workload import ENVIRONMENT, PYTHON, SOURCES, compile_containers

INPUTS = Path(__file__).resolve().parent / "inputs"
TRAIN, HELD_OUT = "train", "held-out"
Prepare = Callable[[Path, str], list[str]]


@dataclass(frozen=True, slots=True)
class Program:
    """A program to record. needs: tool to Debian package. about: what it does on the one input and on the other.

    prepare: fills the folder in which the program runs with the input of that name, and returns the command line.
    beside: what goes on outside the recording while the program runs: a client of a server.
    """

    name: str
    about: Mapping[str, str]
    needs: Mapping[str, str]
    prepare: Prepare
    environment: Mapping[str, str] = field(default_factory=dict)
    beside: Callable[[Path, str], AbstractContextManager[None]] = lambda folder, which: nullcontext()

    def missing(self) -> str | None:
        """The line that installs what this machine lacks, or None when it lacks nothing."""
        packages = sorted({package for tool, package in self.needs.items() if shutil.which(tool) is None})
        return f"apt install {' '.join(packages)}" if packages else None


def python(folder: Path, which: str) -> list[str]:
    """Packages of the standard library, copied, to be compiled anew."""
    library = Path(sysconfig.get_path("stdlib"))
    packages = ("email", "json", "asyncio", "html") if which == TRAIN else ("http", "xml", "unittest", "importlib")
    for package in packages:
        shutil.copytree(library / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    # Not by the name python3, which may be a shell script that looks for the version to run.
    return [os.path.realpath(sys.executable), "-m", "compileall", "-q", "-f", *packages]


def gcc(folder: Path, which: str) -> list[str]:
    """A C++ file: of containers and threads, or of templates, variants and regular expressions."""
    source = SOURCES / "containers.cc" if which == TRAIN else INPUTS / "shapes.cc"
    return ["g++", "-std=c++17", "-O2", "-S", "-o", str(folder / "out.s"), str(source)]


def git(folder: Path, which: str) -> list[str]:
    """A history made by a seed: of many small files, or of fewer that are longer."""
    commits, files, lines = (3000, 120, 60) if which == TRAIN else (1200, 25, 400)
    with (folder / "stream").open("wb") as stream:
        for piece in history(random.Random(which), commits, files, lines):
            stream.write(piece)
    return ["sh", str(INPUTS / "history.sh"), str(folder / "stream"), "part0/file0"]


def history(draw: random.Random, commits: int, files: int, lines: int) -> Iterator[bytes]:
    """A stream for git fast-import: each commit changes some lines of one to four files; the first ones add them."""
    texts = [[f"{draw.randrange(10**9)} line {line} of file {n}" for line in range(lines)] for n in range(files)]
    for commit in range(commits):
        changed = [commit % files, *(draw.randrange(min(files, commit + 1)) for _ in range(draw.randrange(4)))]
        who = f"Author {draw.randrange(20)} <a@example.org> {1_700_000_000 + 600 * commit} +0000"
        message = f"Commit {commit}: " + "because " * draw.randrange(20)
        yield f"commit refs/heads/main\ncommitter {who}\ndata {len(message)}\n{message}\n".encode()
        for number in sorted(set(changed)):
            text = texts[number]
            for _ in range(1 + draw.randrange(5)):
                text[draw.randrange(len(text))] = f"{draw.randrange(10**9)} changed by commit {commit}"
            if draw.randrange(3) == 0:
                text.insert(draw.randrange(len(text)), f"added by commit {commit}")
            content = "\n".join(text).encode() + b"\n"
            yield f"M 100644 inline part{number % 7}/file{number}\ndata {len(content)}\n".encode() + content + b"\n"


def sqlite3(folder: Path, which: str) -> list[str]:
    """Bulk inserts, indices and joins, or small transactions, triggers and JSON."""
    script, rows = (SOURCES / "rows.sql", 40000) if which == TRAIN else (INPUTS / "orders.sql", 20000)
    shutil.copy2(script, folder / "script.sql")
    parameters = ["-cmd", ".parameter init", "-cmd", f".parameter set :rows {rows}"]
    return ["sqlite3", str(folder / "rows.db"), *parameters, f".read {folder / 'script.sql'}"]


def redis(folder: Path, which: str) -> list[str]:
    """A server that keeps nothing on disk and listens on a socket in the folder."""
    silent = ["--save", "", "--appendonly", "no", "--logfile", "/dev/null", "--dir", str(folder)]
    return ["redis-server", "--port", "0", "--unixsocket", str(folder / "socket"), *silent]


REDIS_LOADS = {
    TRAIN: [["-t", "set,get,incr,lpush,rpop,sadd,hset,spop", "-n", "25000", "-r", "20000", "-d", "64", "-P", "8"]],
    HELD_OUT: [
        ["-t", "set,get,zadd,zpopmin,lpush,lrange_100,mset", "-n", "8000", "-r", "5000", "-d", "700", "-c", "20"],
    ],
}


@contextmanager
def redis_clients(folder: Path, which: str) -> Iterator[None]:
    """redis-benchmark against the server from when it answers, and the end of the server after that."""

    def load() -> None:
        cli = ["redis-cli", "-s", str(folder / "socket")]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        deadline = time.monotonic() + 30
        while subprocess.run([*cli, "ping"], **quiet).returncode and time.monotonic() < deadline:
            time.sleep(0.1)
        for words in REDIS_LOADS[which]:
            subprocess.run(["redis-benchmark", "-s", str(folder / "socket"), "-q", *words], **quiet)
        subprocess.run([*cli, "shutdown", "nosave"], **quiet)

    clients = threading.Thread(target=load)
    clients.start()
    yield
    clients.join()


def perl(folder: Path, which: str) -> list[str]:
    """Counting words and closures, or parsing records into objects and copying tables."""
    return ["perl", str(SOURCES / "words.pl"), "3"] if which == TRAIN else ["perl", str(INPUTS / "tables.pl"), "4"]


def node(folder: Path, which: str) -> list[str]:
    """Maps, JSON and buffers on three threads, or files, promises and compression on the thread pool."""
    return ["node", str(SOURCES / "heap.js"), "10"] if which == TRAIN else ["node", str(INPUTS / "tables.js"), "40"]


def search(folder: Path, which: str) -> list[str]:
    """An index of many short documents, or of fewer long ones, by another seed."""
    _compile(INPUTS / "search.cc", folder / "search")
    return [str(folder / "search"), *(("1", "25000", "30") if which == TRAIN else ("2", "4000", "150"))]


def containers(folder: Path, which: str) -> list[str]:
    """The same work on four threads, for more or for fewer rounds."""
    compile_containers(folder, 1)
    return [str(folder / "containers"), "4" if which == TRAIN else "2"]


def _compile(source: Path, program: Path) -> None:
    subprocess.run(["g++", "-std=c++17", "-O2", "-pthread", str(source), "-o", str(program)], check=True)


PROGRAMS: Sequence[Program] = [
    Program(
        "python",
        {TRAIN: "compiles email, json, asyncio, html", HELD_OUT: "compiles http, xml, unittest, importlib"},
        PYTHON,
        python,
    ),
    Program(
        "gcc",
        {TRAIN: "g++ -O2 on containers.cc", HELD_OUT: "g++ -O2 on shapes.cc"},
        {"g++": "g++"},
        gcc,
    ),
    Program(
        "git",
        {TRAIN: "3,000 commits: import, log, blame, gc, fsck", HELD_OUT: "1,200 commits to fewer, longer files"},
        {"git": "git"},
        git,
    ),
    Program(
        "sqlite3",
        {TRAIN: "rows.sql: inserts, indices, joins", HELD_OUT: "orders.sql: transactions, triggers, JSON"},
        {"sqlite3": "sqlite3"},
        sqlite3,
    ),
    Program(
        "redis",
        {TRAIN: "small values, pipelined", HELD_OUT: "700-byte values, sorted sets, ranges"},
        {"redis-server": "redis-server", "redis-benchmark": "redis-tools"},
        redis,
        beside=redis_clients,
    ),
    Program("perl", {TRAIN: "words.pl", HELD_OUT: "tables.pl"}, {"perl": "perl"}, perl),
    Program("node", {TRAIN: "heap.js", HELD_OUT: "tables.js"}, {"node": "nodejs"}, node),
    Program(
        "search",
        {TRAIN: "25,000 documents of 30 words", HELD_OUT: "4,000 documents of 150 words"},
        {"g++": "g++"},
        search,
    ),
    Program(
        "containers",
        {TRAIN: "four threads, 4 rounds", HELD_OUT: "four threads, 2 rounds"},
        {"g++": "g++"},
        containers,
    ),
]


def environment(program: Program, folder: Path) -> dict[str, str]:
    """What the program sees: this process's environment with what makes runs alike."""
    return {**os.environ, **ENVIRONMENT, **program.environment, "HOME": str(folder), "TMPDIR": str(folder)}
