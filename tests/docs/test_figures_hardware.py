"""The figures of the hardware chapters say what the models say."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from capability.adi.protection import Adi
from capability.cheri.protection import Cheri
from capability.mte.protection import MTE
from docs import figures_hardware, figures_hardware_attacks, figures_hardware_enclaves, figures_hardware_tags
from docs.figures_hardware_enclaves import PLACES, edges
from m4alloc.view.svg import Element
from spec.attack import verdict


def texts(picture: Element) -> list[str]:
    """Every line of text in a picture, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.write())


def test_the_bits_of_a_capability_are_its_bits() -> None:
    capability = figures_hardware.worked()
    digits = [text for text in texts(figures_hardware.bits()) if text in ("0", "1")]
    assert int("".join(digits[-27:]), 2) == capability.pesbt & ((1 << 27) - 1)


def test_both_addresses_give_the_bounds_of_the_block() -> None:
    found = texts(figures_hardware.assembly())
    assert [found.count(end) for end in ("= 0x4032f080", "= 0x40347780", "= 0x40340000")] == [3, 2, 1]


def test_every_step_of_a_page_that_the_model_can_take_is_drawn_or_named() -> None:
    drawn = set(figures_hardware_enclaves._mains())
    paging = {(name, "EBLOCK", "blocked") for name in PLACES} | {("blocked", "EWB", "with the host")}
    paging |= {("with the host", "ELDU", name) for name in PLACES}
    removed = {(name, "EREMOVE", "free") for name in PLACES}
    assert drawn <= edges() <= drawn | paging | removed


def test_a_step_that_the_model_cannot_take_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_hardware_enclaves, "edges", lambda: edges(3))
    with pytest.raises(ValueError, match="what the model cannot do"):
        figures_hardware_enclaves.life()


def test_the_trim_of_a_page_is_refused_three_times() -> None:
    refused = [text for text in texts(figures_hardware_enclaves.steps()) if text.startswith("refused")]
    assert refused == ["refused: SGX_NOT_TRACKED", "refused: SGX_NOT_TRACKED", "refused: SGX_ENCLAVE_ACT"]


@pytest.mark.parametrize(("model", "last"), [(Cheri(), 40), (MTE(), 48), (Adi(), 64)])
def test_slack_ends_with_the_bounds_the_granule_or_the_line(model: Cheri | MTE | Adi, last: int) -> None:
    assert figures_hardware_tags._reached(model, 40, 80) == last


@pytest.mark.parametrize("tries", [1, 5, 15])
def test_guesses_get_through_as_the_closed_formulas_say(tries: int) -> None:
    assert figures_hardware_tags.reached_after("mte-scudo-odd-even", tries) == 1 - Fraction(7, 8) ** tries
    assert figures_hardware_tags.reached_in_children("mte-glibc", tries) == Fraction(tries, 15)


@pytest.mark.parametrize(
    ("attack", "defence", "kind", "mark"),
    [
        ("tag-guess", "flat", "", ""),
        ("linear-overflow", "flat", "missed", "!"),
        ("free-list-poisoning", "flat", "harmless", "-"),
        ("tag-brute-force-restarting", "mte-scudo-odd-even", "chance", "H26"),
        ("use-after-reuse-write", "mte-async", "late", "h"),
        ("linear-overflow", "mte-async", "late", "h93"),
    ],
)
def test_a_field_of_the_table_has_its_verdict(attack: str, defence: str, kind: str, mark: str) -> None:
    found = verdict(attack, defence)
    assert (figures_hardware_attacks.class_of(found), figures_hardware_attacks.mark(found)) == (kind, mark)
