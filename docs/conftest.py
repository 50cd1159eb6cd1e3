"""What pytest leaves alone in docs/: generated pages, whose examples run elsewhere, and what needs Sphinx."""

import importlib.util

collect_ignore = ["reference", "project", "guides", "conf.py"]
if importlib.util.find_spec("sphinx") is None:
    collect_ignore.append("machinery/extension.py")
