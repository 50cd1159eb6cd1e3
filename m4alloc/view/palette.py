"""Colours, chosen to be told apart with every common kind of colour blindness, and what they stand for.

Pictures name colours by role through CSS variables, so that one drawing serves light and dark pages.
The size groups' hues follow Paul Tol's discrete rainbow; the series' hues follow Okabe and Ito.
"""

from __future__ import annotations

from m4alloc.view.quantity import binary_size

SIZE_GROUPS: tuple[int, ...] = (16, 64, 256, 1024, 4096, 32768, 262144)
"""Upper bounds, in bytes and inclusive, of all size groups but the last, which has none."""

GROUP_LABELS: tuple[str, ...] = (*(f"up to {binary_size(bound)}" for bound in SIZE_GROUPS), "larger")

ROLES: dict[str, tuple[str, str]] = {
    # role: (on a light page, on a dark page)
    "page": ("#ffffff", "#14171c"),
    "panel": ("#f6f7f9", "#1c2027"),
    "ink": ("#1b1f24", "#e6e9ee"),
    "muted": ("#5b6470", "#9aa4b1"),
    "line": ("#d5dae1", "#353c47"),
    "accent": ("#0b63b0", "#6cb6ff"),
    "good": ("#1a7f37", "#3fb950"),
    "bad": ("#b3261e", "#ff7b72"),
    "warn": ("#8a5a00", "#e3b341"),
    "series-1": ("#0072b2", "#4aa8e0"),
    "series-2": ("#56b4e9", "#1f6d9c"),
    "series-3": ("#e69f00", "#b98216"),
    "series-4": ("#009e73", "#2fbf96"),
    "group-0": ("#882e72", "#b565a0"),
    "group-1": ("#1965b0", "#4a8fd6"),
    "group-2": ("#7bafde", "#8fc0ec"),
    "group-3": ("#4eb265", "#57c070"),
    "group-4": ("#a6be54", "#c2d97a"),
    "group-5": ("#e3a41b", "#f0c24a"),
    "group-6": ("#e8601c", "#f08043"),
    "group-7": ("#b8150f", "#e8453f"),
}


def group_of(size: int) -> int:
    """The index of the size group that a block of `size` bytes belongs to.

    >>> group_of(16), group_of(17), group_of(10**9)
    (0, 1, 7)
    """
    for index, bound in enumerate(SIZE_GROUPS):
        if size <= bound:
            return index
    return len(SIZE_GROUPS)


def variable(role: str) -> str:
    """The CSS value that stands for a role's colour.

    >>> variable("ink")
    'var(--ink)'
    """
    if role not in ROLES:
        raise KeyError(f"no colour role {role!r}; there are {', '.join(ROLES)}")
    return f"var(--{role})"


def stylesheet(scope: str = ":root") -> str:
    """The CSS that gives every role its value, light by default, dark when the reader's system or page says so."""
    light = "".join(f"--{role}:{colours[0]};" for role, colours in ROLES.items())
    dark = "".join(f"--{role}:{colours[1]};" for role, colours in ROLES.items())
    return (
        f"{scope}{{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme: dark){{{scope}:not([data-theme=light]){{{dark}}}}}\n"
        f"{scope}[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"{scope}[data-theme=light]{{color-scheme:light;}}\n"
    )
