"""What `import m4alloc` offers: the same names to programs and to type checkers, callable in any order of imports."""

import ast
import subprocess
import sys
from pathlib import Path

import m4alloc

SOURCE = Path(m4alloc.__file__ or "")


def _typed() -> dict[str, str]:
    """Public name to "module:attribute", as the TYPE_CHECKING block of the package says."""
    block = next(node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: f"{node.module}:{alias.name}" for node in imports for alias in node.names}


def test_type_checkers_see_every_public_name_where_programs_find_it() -> None:
    found = dict(m4alloc._targets)
    assert _typed() == found | {"ltl": "m4alloc:ltl"}


def test_a_verb_is_callable_after_a_module_of_its_name_was_imported() -> None:
    program = (
        "import m4alloc, m4alloc.view.svg, m4alloc.check.round, m4alloc.ltl\n"
        "assert callable(m4alloc.view) and callable(m4alloc.check) and callable(m4alloc.ltl)\n"
        "print(m4alloc.ltl.sat('p').to_json(), m4alloc.lib())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
