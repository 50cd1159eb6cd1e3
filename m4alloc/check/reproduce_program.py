"""A C program put together from the steps of a script: main in their order, threads beside it, what they use above."""

from __future__ import annotations

import re
from collections.abc import Iterable

from m4alloc.check.reproduce_steps import CALLS, Writer, Written, quoted
from m4alloc.check.reproduce_text import pieces
from m4alloc.check.showing import Shown, judge_of
from spec.contract import EXPECTATIONS
from spec.event import MISUSE_CAUGHT, Function
from spec.standard import Contract, ReallocZero
from spec.statement import Script

SECONDS = 10
"""After so long a program that has begun no step is taken for one that hangs; after twice as long in any case."""
ENOUGH = 1 << 24
"""Bytes handed out after which a program for `freed-is-reused` has seen enough."""
ROUNDS = 1 << 14
CHECKED = 1 << 26
MOST_LOST = 1 << 20
"""Blocks of earlier rounds whose contents are compared at the end."""
IN_LIBC = frozenset(CALLS) - {Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED, Function.NEW, Function.DELETE}


_BLOCK = """\
static struct block {
    unsigned char *p;
    size_t size;        /* requested */
    size_t usable;      /* what malloc_usable_size says, else the request */
    size_t extent;      /* bytes that are no other block's */
    size_t filled;      /* bytes that hold the pattern of `seed` */
    unsigned seed;
    int live, survivor; /* survivor: a realloc of it failed */
    int died;
} block[BLOCKS];
"""
_THREADS = """\
static struct worker {
    pthread_t handle;
    sem_t go, done;
    void (*work)(void);
    int running, leaves;
} worker[WORKERS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of what the program notes, never held in a call */
static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
"""


_CHILD_BEGINS = ("child = fork_here();", "if (child == 0) { /* only this thread is there */")
_CHILD_ENDS = ("    _exit(0);", "}", "wait_for_child(child);")


class Program:
    """The program while it is put together: the steps, what they need, and the order of both."""

    def __init__(
        self, script: Script, seen: Shown | None, prefix: str, measures: bool, *, preloads: bool = False
    ) -> None:
        judge = judge_of(script)
        self.contract: Contract = judge.contract
        self.judge = judge
        self.prefix = prefix
        self.measures = measures
        self.preloads = preloads
        self.leaks = seen is not None and seen.rule is EXPECTATIONS["freed-is-reused"]
        self.ends = seen is not None and seen.rule.name in ("call-returns", "block-accessible")
        self.counts_misuse = bool(judge.observes & MISUSE_CAUGHT)
        self.writer = Writer(self.contract, seen, page=judge.page, observes=judge.observes)
        self.steps = [self.writer.write(number, step) for number, step in enumerate(script.steps)]
        threads = sorted({step.thread for step in self.steps if step.thread})
        self.workers = {thread: number for number, thread in enumerate(threads, 1)}
        self.parallel = any(step.directive == "parallel" for step in self.steps)
        self.functions: list[str] = []
        self.forks = any(step.directive.startswith("fork") for step in self.steps)

    def text(self) -> str:
        """Everything behind the comment at the top."""
        main = self.main()
        body = "\n\n".join([*self.functions, main]) + "\n"
        traits = {"threads" if self.workers else "single"}
        traits |= {"refusals"} if self.counts_misuse else set()
        traits |= {"errors"} if self.contract.names_errors else {"careless"}
        traits |= {"quarantine"} if self.judge.window.length and not self.parallel else set()
        traits |= {"places"} if self.leaks else set()
        traits |= {"repeat"} if self.kept_by_rounds() else set()
        traits |= {"misuse"} if "misuse();" in body else set()
        traits |= {"leaves"} if "leave_thread(" in body else set()
        traits |= {"large"} if any(slot.size > CHECKED for slot in self.writer.slots) else set()
        # What begin() does is known only when the rest is; it calls nothing that calls the allocator.
        begin = self.begin(f"{pieces(body, frozenset(traits))}\n{body}")
        support = pieces(f"{begin}\n{body}", frozenset(traits))
        code = f"{support}\n{begin}\n\n{body}"
        above = f"{self.calls(code)}\n{self.blocks(traits)}"
        return f"{self.head(f'{above}{code}', traits)}\n{above}\n{code}"

    # The steps.

    def main(self) -> str:
        """The function main, whose order is that of the script."""
        lines = ["begin();", ""]
        wrapped = self.leaks and not any(step.directive == "repeat" for step in self.steps)
        if wrapped:
            lines.append(f"for (int round = 0; round < {ROUNDS} && !enough(); round++) {{")
        inner = self.sequence(wrapped)
        lines += ["    " + line if line else "" for line in inner] if wrapped else inner
        if wrapped:
            lines[-1:] = ["    free_the_rest();", "}", ""] if not lines[-1] else [lines[-1], "}", ""]
        lines += ["reused();"] if self.leaks else []
        lines.append("return finish();")
        return _function("int main(void)", lines)

    def sequence(self, wrapped: bool) -> list[str]:
        """The statements of all steps by turns; what threads do goes into functions of their own."""
        lines: list[str] = []
        depth, at = 0, 0
        while at < len(self.steps):
            written = self.steps[at]
            at += 1
            if written.directive == "parallel":
                ends = [n for n in range(at, len(self.steps)) if self.steps[n].directive == "join"]
                stop = ends[0] if ends else len(self.steps)
                added = self.section(at, self.steps[at:stop])
                at = stop + 1
            elif written.directive == "end-repeat":
                depth = max(0, depth - 1)
                closing = ["    " * depth + "}", ""]
                if self.leaks and not wrapped:
                    closing.insert(0, "    " * (depth + 1) + "free_the_rest();")
                while lines and not lines[-1]:
                    lines.pop()
                lines += closing
                continue
            else:
                added = self.one(at, written)
            lines += ["    " * depth + line if line else "" for line in [*added, ""]]
            if written.directive == "repeat":
                lines.pop()
                depth += 1
        while depth:
            depth -= 1
            lines += ["    " * depth + "}", ""]
        return lines

    def one(self, number: int, written: Written) -> list[str]:
        """One step, or what a directive asks for."""
        match written.directive:
            case "thread-end":
                worker = self.workers.get(written.thread)
                return [f"end_thread({worker}); /* {written.line} */"] if worker else [f"/* {written.line} */"]
            case "thread-leaves":
                worker = self.workers.get(written.thread)
                return [f"leave_thread({worker}); /* {written.line} */"] if worker else [f"/* {written.line} */"]
            case "fork-child":
                return ["go_on_in_child(); /* what follows happens in the child */"]
            case "fork-parent":
                return ["go_on_in_parent(); /* the child ends at once */"]
            case "pause":
                return [f"usleep({min(written.number, 60_000)} * 1000);"]
            case "limit-memory":
                return [f"limit_memory({written.number});"]
            case "repeat":
                unsigned = "size_t" if written.number >= 2**31 else "int"
                return [f"for ({unsigned} round = 0; round < {written.number}; round++) {{"]
            case "join":
                return []
        if not written.code:
            return [f"/* {harmless(written.line)} */"]
        code = [f"step({quoted(written.line)});", *written.code]
        if not written.thread:
            return code
        worker = self.workers[written.thread]
        self.functions.append(_function(f"static void step_{number}(void)", code))
        return [f"on_thread({worker}, step_{number});"]

    def section(self, number: int, steps: list[Written]) -> list[str]:
        """The steps between `parallel` and `join`: a function for each thread, and how they are started together."""
        threads = sorted({step.thread for step in steps})
        users: dict[str, set[int]] = {}
        for step in steps:
            for block in step.touched:
                users.setdefault(block, set()).add(step.thread)
        shared = {block for block, by in users.items() if len(by) > 1}
        for thread in threads:
            worker = self.workers.get(thread, 0)
            body = ["meet();", "", *self.part(thread, steps, shared)]
            self.functions.append(_function(f"static void section_{number}_on_{worker}(void)", body))
        others = [self.workers[thread] for thread in threads if thread]
        lines = [f"/* Together, from here to the join: {len(threads)} threads. */"]
        if shared:
            lines.append("memset(uses, 0, sizeof uses);")
        lines.append(f"absent = {len(threads)};")
        lines += [f"start({worker}, section_{number}_on_{worker});" for worker in others]
        lines += [f"section_{number}_on_0();"] if 0 in threads else []
        lines += [f"wait_until_done({worker});" for worker in others]
        return lines

    def part(self, thread: int, steps: list[Written], shared: set[str]) -> list[str]:
        """What one thread does in a section.

        As in the driver, what follows a fork up to the thread's next directive is the child's, and only the child's.
        """
        lines: list[str] = []
        before: dict[str, int] = {}
        seen_by: dict[str, set[int]] = {}
        in_child = False
        left_out: list[str] = []  # what the others wait for, and the child cannot tell them
        for step in steps:
            blocks = [block for block in step.touched if block in shared]
            if step.thread == thread:
                if step.directive and in_child:
                    lines += [*_CHILD_ENDS, *left_out, ""]
                    in_child, left_out = False, []
                waits = [block for block in blocks if seen_by.get(block, set()) - {thread}]
                told = [f"atomic_fetch_add(&uses[{block}], 1);" for block in blocks]
                added = [f"await({block}, {before[block]});" for block in waits if not in_child]
                if step.directive == "fork-child":
                    added += _CHILD_BEGINS
                    in_child = True
                elif step.directive == "fork-parent":
                    added.append("go_on_in_parent(); /* the child ends at once */")
                elif step.code:
                    added += [f"step({quoted(step.line)});", *step.code]
                if not in_child:
                    lines += [*added, *told, ""]
                elif step.directive == "fork-child":
                    lines += added
                else:
                    lines += ["", *("    " + line for line in added)]
                    left_out += told
            for block in blocks:
                before[block] = before.get(block, 0) + 1
                seen_by.setdefault(block, set()).add(step.thread)
        lines += [*_CHILD_ENDS, *left_out] if in_child else []
        while lines and not lines[-1]:
            lines.pop()
        return lines

    # What stands before them.

    def begin(self, code: str) -> str:
        """The function that main begins with."""
        lines = ["preloaded();"] if self.preloads else []
        for function in self.used(code) - IN_LIBC:
            call = CALLS[function]
            if function in (Function.NEW, Function.DELETE) or not self.prefix:
                lines.append(f'{call.variable} = ({call.returns}(*)({call.takes}))find("{call.symbol}");')
        if self.counts_misuse:
            lines.append('refusals = (uint64_t (*)(void))dlsym(RTLD_DEFAULT, "m4alloc_refusals");')
        return _function(
            "static void begin(void)", ["same_addresses();", "watch();", *sorted(lines), "alarm(SECONDS);"]
        )

    def used(self, code: str) -> set[Function]:
        """The functions of the family that `code` calls."""
        words = set(re.findall(r"\bcall_\w+", code))
        found = {function for function, call in CALLS.items() if call.variable in words}
        return found | ({Function.USABLE_SIZE} if self.measures and "USABLE(" in code else set())

    def calls(self, code: str) -> str:
        """The family, called through pointers that the compiler knows nothing of."""
        lines = []
        used = sorted(self.used(code))
        for function in used if self.prefix else ():
            if function not in (Function.NEW, Function.DELETE):
                call = CALLS[function]
                lines.append(f"{call.returns}{self.prefix}{call.symbol}({call.takes});")
        lines.append("/* Called through volatile pointers: the compiler must not reason about what malloc returns. */")
        for function in used:
            call = CALLS[function]
            linked = function in IN_LIBC or (self.prefix and function not in (Function.NEW, Function.DELETE))
            value = f" = {self.prefix}{call.symbol}" if linked else ""
            lines.append(f"static {call.returns}(*volatile {call.variable})({call.takes}){value};")
        return "\n".join(lines) + "\n"

    def blocks(self, traits: set[str]) -> str:
        """The blocks of the script, and what the program knows of each."""
        slots = self.writer.slots
        names = [*(slot.identifier for slot in slots), "BLOCKS"] if slots else ["BLOCKS = 1"]
        called = [quoted(slot.called) for slot in slots] or ['"none"']
        died = "    int died;           /* when it was given up, 0: never */\n" if "quarantine" in traits else ""
        enumerators = _listed("enum { ", names, " };")
        words = _listed("static const char *const name[BLOCKS] = {", called, "};")
        threads = _THREADS.replace("WORKERS", str(len(self.workers) + 1)) if self.workers else ""
        if "repeat" in traits:
            words += f"\nstatic struct block lost[{self.kept_by_rounds()}]; /* live ones of earlier rounds */"
            words += "\nstatic int lost_count;\n"
        return "\n".join([enumerators, _BLOCK.replace("    int died;\n", died) + words, threads])

    def kept_by_rounds(self) -> int:
        """How many blocks live on when a later round gives their name to another; MOST_LOST at most."""
        depths, kept = [1], 0
        for step in self.steps:
            if step.directive == "repeat":
                depths.append(min(depths[-1] * max(1, step.number), MOST_LOST))
            elif step.directive == "end-repeat" and len(depths) > 1:
                depths.pop()
            elif depths[-1] > 1:
                kept += depths[-1] * len(step.touched)
        return min(kept, MOST_LOST)

    def head(self, code: str, traits: set[str]) -> str:
        """Includes, constants, and where the program is."""
        local = "_Thread_local " if self.workers else ""
        lines = ["#define _GNU_SOURCE", *_includes(code, self.used(code), bool(self.prefix)), ""]
        for name, value in self.constants():
            if re.search(rf"\b{name.partition('(')[0]}\b", code):
                define = f"#define {name} {value}"
                lines += ["#ifndef SECONDS", define, "#endif"] if name == "SECONDS" else [define]
        lines += ["", f'static {local}const char *volatile now = "the start"; /* the step being carried out */']
        counter = "_Atomic" if self.workers else "volatile"
        lines.append(f"static {counter} unsigned begun; /* steps, so that a hang can be told from a long run */")
        lines.append("static volatile int waiting; /* for a forked child */")
        if self.workers:
            lines.append("static const char *volatile latest; /* the step begun last, on whichever thread */")
        lines.append(
            f"static {local}volatile int touching; /* the client loads or stores, the allocator does nothing */"
        )
        lines.append("static volatile int misused; /* the client broke its side: 1 in this step, 2 before */")
        lines.append("static volatile int poked; /* it wrote where it may not, so that contents prove nothing */")
        if "quarantine" in traits:
            lines.append("static int deaths;")
        return "\n".join(lines) + "\n"

    def constants(self) -> Iterable[tuple[str, str]]:
        """The macros that the functions use, by name."""
        yield "SENTINEL", "77 /* errno before each call */"
        yield "SECONDS", f"{SECONDS} /* a call takes no longer */"
        yield "TOP", "((uintptr_t)1 << 56) /* the end of user addresses */"
        yield "CHECKED", "((size_t)1 << 26) /* contents are looked at up to here, */"
        yield "TAIL", "((size_t)1 << 12) /* and in the last bytes */"
        yield "UNTOUCHED", "((void *)0x10)"
        yield "ZERO_IS_BLOCK", str(int(self.contract.zero_is_block))
        yield "ZERO_FREES", str(int(self.contract.realloc_zero is ReallocZero.FREES))
        yield "ZERO_NAMES_ERROR", str(int(self.contract.realloc_zero is ReallocZero.EINVAL))
        yield "QUARANTINE", f"{self.judge.window.length} /* promised by the allocator */"
        yield "QUARANTINE_LIMIT", f"{self.judge.window.limit}u"
        yield "LOST", str(self.kept_by_rounds())
        yield "ENDS", f"{int(self.ends)} /* whether a crash is what was found, even after misuse */"
        yield "ENOUGH", str(ENOUGH)
        sizes = sum(slot.size + slot.size // 4 for slot in self.writer.slots)
        yield "HELD_BACK", f"((size_t){self.judge.window.length} * {sizes} * {len(self.workers) + 1})"
        if self.measures:
            yield "USABLE(p, size)", "call_malloc_usable_size(p)"
        else:
            yield "USABLE(p, size)", "(size) /* this allocator has no malloc_usable_size */"


def _function(head: str, lines: list[str]) -> str:
    """A C function, with the variables that its statements use."""
    code = "\n".join(lines)
    variables = {"reply": "void *reply;", "error": "int error;", "child": "pid_t child;"}
    declared = [text for word, text in variables.items() if re.search(rf"(^|\s){word} = ", code)]
    body = [*declared, *lines]
    return "\n".join([head, "{", *(f"    {line}" if line else "" for line in body), "}"])


_HEADERS = (
    ("dlfcn.h", r"\b(?:dlsym|dladdr)\("),
    ("errno.h", r"\berrno\b"),
    ("fcntl.h", r"\bopen\("),
    ("malloc.h", r"\b(?:memalign|pvalloc|malloc_usable_size)\b"),
    ("pthread.h", r"\bpthread_"),
    ("sched.h", r"\bsched_yield\b"),
    ("semaphore.h", r"\bsem_t\b"),
    ("signal.h", r"\bsigaction\b"),
    ("stdarg.h", r"\bva_list\b"),
    ("stdatomic.h", r"\batomic_|ATOMIC"),
    ("stddef.h", r""),
    ("stdint.h", r""),
    ("stdio.h", r"\bvsnprintf\b"),
    ("stdlib.h", r""),
    ("string.h", r"\b(?:memset|strcmp|strerror)\b"),
    ("sys/personality.h", r"\bpersonality\("),
    ("sys/resource.h", r"\bsetrlimit\b"),
    ("sys/wait.h", r"\bwaitpid\b"),
    ("unistd.h", r""),
)


def _includes(code: str, used: set[Function], prefixed: bool) -> list[str]:
    """The headers that the program needs."""
    named = " ".join(CALLS[function].symbol for function in used) if not prefixed else ""
    return [f"#include <{header}>" for header, pattern in _HEADERS if re.search(pattern, f"{code} {named}")]


def _listed(head: str, words: list[str], tail: str) -> str:
    """A list of words, as many on a line as fit."""
    lines, line = [], head
    for number, word in enumerate(words):
        ended = word + ("," if number + 1 < len(words) else tail)
        if len(line) + len(ended) > 110 and line.strip():
            lines.append(line.rstrip())
            line = "    "
        line += f"{ended} "
    return "\n".join([*lines, line.rstrip()])


def harmless(text: str) -> str:
    """The text without what would end a C comment, or begin another."""
    return text.replace("*/", "* /").replace("/*", "/ *")
