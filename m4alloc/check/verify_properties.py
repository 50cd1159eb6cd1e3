"""The part of `verify` that is about order in time: the property library over all process images of a recording."""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.check.images import Judged
from m4alloc.check.properties import evaluate
from m4alloc.check.verify_report import PropertyFound
from spec.event import MISUSE_CAUGHT
from spec.properties import REPORTED, find
from spec.property import About, Property
from spec.property_verdict import Answer, PropertyVerdict

_STRONGEST = (Answer.VIOLATED, Answer.INCONCLUSIVE, Answer.HOLDS, Answer.NOT_OBSERVED)
"""What several images come to: the first of these that any of them says."""


def chosen(names: Sequence[str]) -> tuple[Property, ...]:
    """The properties to report: the library's, and those that are asked for by name or text.

    Raises: LogicError (a ValueError) for what is neither; the message lists the names.
    """
    return tuple(dict.fromkeys((*REPORTED, *map(find, names))))


def judge_properties(judged: Sequence[Judged], names: Sequence[str] = ()) -> tuple[PropertyFound, ...]:
    """What the images say of each property, those called `names` marked as asked for.

    Nothing when an image was not judged to its end, by whose rules the letters of the others are known.
    Raises: LogicError; TooLargeError when a formula has no monitor of a reasonable size.
    Cost: about a microsecond a request.
    """
    if any(one.acceptor.events < one.trace.used for one in judged) or not judged:
        return ()
    properties, asked = chosen(names), {find(name) for name in names}
    images = [_image(one, judged, properties) for one in judged]
    return tuple(
        _found(one, one in asked, [image[place] for image in images], judged) for place, one in enumerate(properties)
    )


def _image(one: Judged, judged: Sequence[Judged], properties: Sequence[Property]) -> list[PropertyVerdict]:
    inherited = None if one.parent is None else judged[one.parent].lives.alive_at(one.trace.fork_sequence)
    return evaluate(one.trace, properties, one.acceptor, inherited)


def _found(
    property: Property, asked: bool, verdicts: Sequence[PropertyVerdict], judged: Sequence[Judged]
) -> PropertyFound:
    """What several images come to; only those that held evidence count."""
    answer = next(answer for answer in _STRONGEST if any(one.answer is answer for one in verdicts))
    told = [(image, one) for image, one in enumerate(verdicts) if one.answer is not Answer.NOT_OBSERVED]
    owed = [one for _, one in told if one.answer is answer]
    # The image to tell of: one in which the property was violated while the client had kept its side, if there is one.
    guilty = [
        (_after_misuse(judged[image], one), image, one)
        for image, one in told
        if one.answer is Answer.VIOLATED and one.witness is not None
    ]
    late, image, witness = 0, 0, None
    if guilty:
        late, image, first = min(guilty, key=lambda row: (bool(row[0]), row[2].at_exit, row[1]))
        witness = first.witness
    return PropertyFound(
        name=property.name,
        formula=property.text,
        index=property.index.value,
        sentence=property.sentence,
        about=property.about.value,
        asked=asked,
        answer=answer.value,
        observed=sum(one.letters for _, one in told),
        instances=sum(one.instances for _, one in told),
        violated=sum(one.violated for _, one in told),
        unfulfilled=sum(one.unfulfilled for one in owed),
        bytes=sum(one.bytes for one in owed),
        at_exit=answer is Answer.VIOLATED and not any(one.violated for _, one in told),
        missing=tuple(sorted({name for one in (owed if told else verdicts) for name in one.missing})),
        message="" if witness is None else str(witness),
        image=image,
        event=0 if witness is None else witness.event,
        after_misuse=late if property.about is About.ALLOCATOR else 0,
    )


def _after_misuse(judged: Judged, verdict: PropertyVerdict) -> int:
    """The begin number of the client's first misuse that nobody caught, if it came before the violation; else 0."""
    misused = min(
        (
            misuse.event.begin
            for misuse in judged.acceptor.misuses
            if misuse.event is not None and not misuse.event.flags & MISUSE_CAUGHT
        ),
        default=0,
    )
    return misused if verdict.witness is not None and 0 < misused <= verdict.witness.event else 0
