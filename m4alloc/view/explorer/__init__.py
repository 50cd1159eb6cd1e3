"""The heap explorer: one self-contained page that shows a heap's whole life, from the run down to a single event.

life       what is drawn: events, blocks, findings, protection, as columns
sources    inputs of every kind to lives: traces, scripts, attacks, counterexamples
build      a history's columns to a life: blocks, owners, curves, marks, properties, protection
encode     a life as text inside a page; decode: and back, as decode.js does it
page       skeleton, styles, scripts and lives as one file
lasso      the page of a counterexample
run        the function behind `m4alloc view`, its report; the map as text and as SVG
"""
