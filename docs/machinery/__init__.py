"""What turns docs/ into the built book, layer by layer: each file knows only those above it in this list.

markdown    links, headings and anchors of a page, as GitHub reads them
contents    which pages there are, in which order and part: read from docs/index.md
outside     pages for files outside docs/ that pages link to: README, DESIGN, programs
docstring   a docstring as Markdown
source      a module as items: what each says, and the code beside it; core_source: the same for Cython
reference   the reference pages
extension   what Sphinx is told: when to write all this, figures inlined, names in prose linked
"""
