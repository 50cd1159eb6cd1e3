"""The heap explorer: one self-contained page that shows a heap's whole life, from the run down to a single event.

    life       what is drawn: events, blocks, findings, protection, as columns
    sources    inputs of every kind to lives: sources_trace, _script, _attack, _attack_log (sources_problem: refusals)
    build      a history's columns to a life: build_columns, _owner, _curves, _marks, _properties, _guards, ...
    encode     a life as text inside a page (encode_integers, encode_ranks, encode_text); decode: and back, as decode.js
    kinds      how a finding of each kind is shown
    page       skeleton, styles, scripts and lives as one file
    lasso      the page of a counterexample (lasso_open: what a run that has not ended satisfies)
    run        the function behind `m4alloc view`, its report; run_text: the map in characters; run_picture: as SVG

The page itself, in the order in which its scripts are put together:

    explorer.html, explorer.css, panel.css      skeleton and styles
    decode.js                                   lives out of the page
    parts.js, tell.js                           elements and numbers; events and blocks in words
    store.js, heap.js                           what is looked at; questions to a life
    colours.js, map*.js                         what colours stand for; the map: scale, drawing, pointer, legend
    curves.js, story.js, findings.js, moment.js, script.js      the panels
    controls.js, keys.js, main.js               buttons, keys, the beginning
    lasso.js                                    the page of a counterexample
"""
