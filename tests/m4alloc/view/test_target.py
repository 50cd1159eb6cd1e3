"""What may be written where; more of it is in explorer/test_run.py, through the verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.view.explorer import run
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.target import refuse_to_write, write


def test_an_input_is_kept_under_any_of_its_names(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    assert write(page, "<!doctype html>") == 15
    (tmp_path / "link.html").symlink_to(page)
    refuse_to_write(page, [tmp_path / "other", Path("x" * 300)])
    for name in ("a.html", "link.html"):
        with pytest.raises(ViewError, match="the output is the input itself"):
            refuse_to_write(tmp_path / name, [page])


def test_the_explorer_has_the_same_under_its_own_name() -> None:
    assert (run.refuse_to_write, run.write) == (refuse_to_write, write)
