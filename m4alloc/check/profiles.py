"""How long the property tests search: Hypothesis's profiles, chosen by HYPOTHESIS_PROFILE."""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def register() -> None:
    """Register `dev` (seconds, remembers failures), `ci` (the same run every time), `soak` (hours).

    Loads the one that HYPOTHESIS_PROFILE names, `ci` where CI is set, else `dev`.
    """
    settings.register_profile("dev", max_examples=30, deadline=None, suppress_health_check=SLOW_IS_FINE)
    settings.register_profile(
        "ci",
        max_examples=100,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        suppress_health_check=SLOW_IS_FINE,
    )
    settings.register_profile(
        "soak",
        max_examples=1_000_000,
        deadline=timedelta(seconds=60),
        suppress_health_check=SLOW_IS_FINE,
        stateful_step_count=200,
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
