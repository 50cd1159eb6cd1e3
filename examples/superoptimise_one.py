"""Five instructions that round a size up and count its granules become two, with a proof that nothing has changed.

You learn what a superoptimiser is asked (a function, what may be assumed, how long), what it answers, and what a proof
covers. It needs z3 and llvmlite: pip install 'm4alloc[superopt]'.
Run it: python examples/superoptimise_one.py
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

GRANULES = """
define i64 @granules(i64 noundef %size) {
  %more = add i64 %size, 15
  %rounded = and i64 %more, -16
  %count = udiv i64 %rounded, 16
  %twice = add i64 %count, %count
  %half = lshr i64 %twice, 1
  ret i64 %half
}
"""


def main() -> int:
    """Try every smaller program, for twenty seconds at most, and show what was found."""
    missing = [name for name in ("z3", "llvmlite") if find_spec(name) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} missing; pip install 'm4alloc[superopt]'")
        return 0
    from m4alloc.superopt.printer import print_function
    from m4alloc.superopt.run import superopt

    with TemporaryDirectory() as folder:
        path = Path(folder, "granules.ll")
        path.write_text(GRANULES, encoding="utf-8")
        report = superopt(path, assume=["size < 4096"], methods=["enumeration"], budget=20, jobs=1, measure=False)
    one = report.functions[0]
    print(GRANULES.strip())
    print(f"\n{one.cost_before.ir} instructions become {one.cost_after.ir}:\n")
    print(print_function(one.after))
    print(f"\nproof: {one.proof}")
    print(f"of what might be assumed the proof needs: {', '.join(map(str, one.assumptions)) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
