"""The section of the page of `verify` that is about order in time."""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.check import verify_text as words
from m4alloc.check.verify_report import PropertyFound
from m4alloc.view import html
from m4alloc.view.html import Html
from m4alloc.view.quantity import number, plural

_WHOSE = {
    "asked for": "What was asked for",
    "of the allocator": "What the allocator has to keep",
    "of the program": "What the program has to keep",
}
_ANSWERS = (
    ("HOLDS", "so it was at every address (block, thread), to the end"),
    ("VIOLATED", "at so many of them it was not, and nothing could have made up for it"),
    ("VIOLATED at exit", "something that had to come, such as a free, had not come when the program ended"),
    (
        "INCONCLUSIVE",
        "the recording stopped before the program ended, as when it is killed; what has to come may have been to come",
    ),
    ("not observed", "nothing was recorded that could have been evidence for or against it"),
)
_OPERATORS = (
    ("[]p", "p at every moment from here on: always"),
    ("<>p", "p at some moment from here on: eventually"),
    ("Xp", "p at the next moment, at which something happens there again"),
    ("p W q", "p for as long as q has not come, which it need not"),
    ("p U q", "the same, and q does come"),
    ("p S q", "q was once, and p ever since"),
    ("!p, p && q, p || q, p -> q", "not p; both; one of them; if p, then q"),
)


def properties(found: Sequence[PropertyFound]) -> Html:
    """The section: what the allocator and what the program have to keep, and how to read it."""
    explained = (
        "The rules judge one reply at a time; these judge what happened one after the other. All that happens at one "
        "address (in one thread, where a formula says so) is a story of mallocs and frees, and each sentence has to be "
        "true of every story. Violations by the program itself, such as leaks, do not count against the allocator."
    )
    pieces = [html.paragraph(explained)]
    silent: list[PropertyFound] = []
    for whose, group in words.by_whose(found):
        silent += [one for one in group if one.answer == words.UNSEEN and not one.asked]
        shown = [one for one in group if one.answer != words.UNSEEN or one.asked]
        if shown:
            shown.sort(key=lambda one: (not one.fails, one.answer != "VIOLATED", one.answer == "HOLDS"))
            head = ["property", "what must hold", "", "letters", "formula"]
            table = html.table(head, [_property(one) for one in shown], right=[3], whole=[0])
            pieces += [Html(f"<h3>{_WHOSE[whose]}</h3>"), table]
    if silent:
        rows = [[_named(one), one.sentence, words.unseen(one), _formula(one)] for one in silent]
        table = html.table(["property", "what must hold", "not observed", "formula"], rows, whole=[0])
        pieces.append(html.details(f"{plural(len(silent), 'property', 'properties')} not observed", table))
    answers = html.table(["answer", "meaning"], [[name, meaning] for name, meaning in _ANSWERS], whole=[0])
    operators = html.table(["formula", "true when"], [[html.code(name), told] for name, told in _OPERATORS], whole=[0])
    letters = html.paragraph(
        "A letter is one thing that happened, with all that was true of it: malloc is a block handed out, free a block "
        "given up. The number of letters says how much evidence there was."
    )
    pieces.append(html.details("How to read the answers and the formulas", html.join([answers, operators, letters])))
    return html.join(pieces)


def _property(one: PropertyFound) -> list[str]:
    told = words.property_answer(one)
    tone = "bad" if one.fails else {"HOLDS": "good", words.UNSEEN: "muted"}.get(one.answer, "warn")
    if one.answer == "VIOLATED" and one.message:
        told += f": first at {one.message}" if not one.at_exit else f"; first {one.message}"
        told += f", after the program's own misuse at event {number(one.after_misuse)}" if one.after_misuse else ""
    told += f": {words.unseen(one)}" if one.answer == words.UNSEEN else ""
    answer = Html(f'<span class="{tone}">{html.markup(told)}</span>')
    return [_named(one), one.sentence, answer, number(one.observed), _formula(one)]


def _formula(one: PropertyFound) -> Html:
    return html.join([Html(f"{one.index}: "), html.code(one.formula)])


def _named(one: PropertyFound) -> Html:
    return html.code(one.name) if one.name != f"{one.index}: {one.formula}" else Html("a formula")
