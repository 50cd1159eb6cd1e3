"""Parses, compiles and unparses modules of the standard library; `parsing.py ROUNDS`."""

import ast
import hashlib
import sys
import sysconfig
from pathlib import Path

library = Path(sysconfig.get_path("stdlib"))
digest = hashlib.sha256()
nodes = 0
for _ in range(int(sys.argv[1])):
    for path in sorted((library / "email").glob("*.py")) + sorted((library / "json").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes += sum(1 for _ in ast.walk(tree))
        digest.update(compile(tree, path.name, "exec").co_code)
        digest.update(ast.unparse(tree).encode())
print(nodes, digest.hexdigest())
