"""Compile C++ so that the program is watched while it runs."""

from __future__ import annotations

import argparse

from m4alloc.cli.cc import add, run

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc c++ [--hooks=H] [--property P] [--compiler=COMMAND] WORD ...`; the words are as with `cc`."""
    add(subparsers, "c++", __doc__ or "")
