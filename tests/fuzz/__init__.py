"""Hypothesis against every parser that faces the network. Quick in `make test`; `make fuzz` runs for long.

``FUZZ_EXAMPLES=20000 python -m pytest tests/fuzz`` sets how many inputs each entry point gets.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
