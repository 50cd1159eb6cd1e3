"""A notebook as a page: its prose, its cells, and under each what was saved of its output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capability.picture import CARD


def text(file: Path) -> str:
    """The page as Markdown, links as they are in the notebook.

    Pictures are put in as they would be in a live notebook: they take the colours of the page.
    """
    notebook = json.loads(file.read_text(encoding="utf-8"))
    first, *rest = [_cell(cell) for cell in notebook["cells"]]
    title, _, prose = first.partition("\n")
    said = f"A notebook: `examples/notebooks/{file.name}`, to be opened in Jupyter or marimo, with what it showed."
    return "\n\n".join([title, said, prose.strip(), *rest]) + "\n"


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *_outputs(cell["outputs"])])


def _outputs(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        data = output.get("data", {"text/plain": output.get("text", "")})
        shown = data.get("text/html") or data.get("image/svg+xml")
        if shown:
            drawn = "".join(shown).replace(CARD, "")
            yield f"``````{{raw}} html\n<div>{drawn}</div>\n``````"
        else:
            yield f"``````text\n{''.join(data['text/plain'])}\n``````"
