"""`python3 -m m4alloc` is the command `m4alloc`."""

from m4alloc.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
