"""Chooses the Hypothesis profile: HYPOTHESIS_PROFILE=dev|ci|soak."""

from m4alloc.check import profiles

profiles.register()
