"""What can be said of a property when only a finite word of a run is known."""

from __future__ import annotations

from enum import StrEnum


class Truth(StrEnum):
    """The three values of LTL3: what every infinite run that begins with this word has in common.

    TRUE: each of them satisfies the property (the word has a good prefix). FALSE: each of them violates it (a bad
    prefix). INCONCLUSIVE: some do and some do not. TRUE and FALSE are definite: no further letter changes them.
    Source: Bauer, Leucker and Schallhart, Runtime verification for LTL and TLTL (2011), section 3.

    >>> Truth.FALSE.definite, Truth.INCONCLUSIVE.definite, str(Truth.TRUE)
    (True, False, 'true')
    """

    TRUE = "true"
    FALSE = "false"
    INCONCLUSIVE = "inconclusive"

    @property
    def definite(self) -> bool:
        """Whether every longer word has the same value."""
        return self is not Truth.INCONCLUSIVE


class FourTruth(StrEnum):
    """The four values of RV-LTL: LTL3, and where that is inconclusive, what would be true if the run ended here.

    Source: Bauer, Leucker and Schallhart, Comparing LTL semantics for runtime verification (2010), section 4.

    >>> FourTruth.of(Truth.INCONCLUSIVE, at_end=False), FourTruth.of(Truth.TRUE, at_end=False)
    (<FourTruth.PRESUMABLY_FALSE: 'presumably-false'>, <FourTruth.TRUE: 'true'>)
    >>> FourTruth.PRESUMABLY_FALSE.favourable, FourTruth.PRESUMABLY_FALSE.definite
    (False, False)
    """

    TRUE = "true"
    PRESUMABLY_TRUE = "presumably-true"
    PRESUMABLY_FALSE = "presumably-false"
    FALSE = "false"

    @classmethod
    def of(cls, truth: Truth, at_end: bool) -> FourTruth:
        """The value of a word from its LTL3 value and from its value as a finished run (`at_end`)."""
        if truth.definite:
            return cls(truth.value)
        return cls.PRESUMABLY_TRUE if at_end else cls.PRESUMABLY_FALSE

    @property
    def definite(self) -> bool:
        """Whether every longer word has the same value."""
        return self is FourTruth.TRUE or self is FourTruth.FALSE

    @property
    def favourable(self) -> bool:
        """Whether the property holds, as far as can be said: true, or presumably true."""
        return self is FourTruth.TRUE or self is FourTruth.PRESUMABLY_TRUE
