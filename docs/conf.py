"""Sphinx builds the book from docs/:  sphinx-build -W --keep-going -b html docs build/docs  (or: make docs)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "m4alloc"
author = "the m4alloc project"
extensions = ["myst_parser", "docs.machinery.extension"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["json-schema", "machinery"]
nitpicky = True
smartquotes = False
highlight_language = "text"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "toc.no_title"]  # a method's heading may follow the module's: that is no mistake

html_theme = "furo"
html_title = "m4alloc"
html_static_path = ["machinery/static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # which would be fetched: pages that are read from disk may not
pygments_style = "friendly"
pygments_dark_style = "github-dark"
