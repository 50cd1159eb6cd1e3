"""The heap explorer: one self-contained page that shows a heap's whole life, from the run down to a single event.

    life      what is drawn: events, blocks, findings, protection, as columns
"""
