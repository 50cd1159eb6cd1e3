"""Chooses the Hypothesis profile: HYPOTHESIS_PROFILE=dev|ci|soak; and lets tests interrupt programs."""

import signal

from m4alloc.check import profiles

profiles.register()

# A shell that starts us in the background has us ignore SIGINT, and every program that a test starts would inherit that
# and never be interrupted. A handler is not inherited: it becomes the default action.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
