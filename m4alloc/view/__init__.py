"""Every picture of the project: text for terminals, SVG for documents, one self-contained HTML page for reports.

All of it is strings, deterministic and escaped; nothing here reads a file of the user's or the network.

    quantity   numbers as people read them: 684,118 requests, 11.2 MB, 45.6 ms, 6.1 %
    ticks      round positions for an axis
    palette    colours, and the size groups they stand for
    text       tables, bars, sparklines, the heap map in characters
    svg        elements and documents
    chart      axes, area charts, histograms
    raster     a heap's life as a grid of addresses by time
    heap_map   that grid, or the blocks themselves, as SVG
    scene      what a picture of the heap at one call shows
    heap_at    that picture as SVG (heap_at_style: its borders and fillings); heap_at_text: in characters
    lasso      a counterexample: its states, the steps between them, the arc that goes back
    html       the page
    png        the same pictures as PNG, by matplotlib
    notebook   what notebooks show of an arena, a strategy, a trace
    target     where pages are written: what is refused first, and files that appear whole
    explorer/  the page on which a heap's whole life can be walked through
"""
