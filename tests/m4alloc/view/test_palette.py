from __future__ import annotations

import pytest

from m4alloc.view import palette


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("role", ["ink", "muted", "accent", "good", "bad", "warn"])
@pytest.mark.parametrize("ground", ["page", "panel"])
@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_the_contrast_that_wcag_aa_asks_for(role: str, ground: str, theme: int) -> None:
    assert _contrast(palette.ROLES[role][theme], palette.ROLES[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
def test_every_size_group_stands_out_from_the_panel(theme: int) -> None:
    for index in range(len(palette.GROUP_LABELS)):
        assert _contrast(palette.ROLES[f"group-{index}"][theme], palette.ROLES["panel"][theme]) >= 1.8


def test_there_is_a_label_and_a_colour_for_every_size_group() -> None:
    assert len(palette.GROUP_LABELS) == len(palette.SIZE_GROUPS) + 1 == 8
    assert all(f"group-{palette.group_of(size)}" in palette.ROLES for size in (0, 1, 16, 17, 262144, 2**62))
