"""By how much a bound is moved: 1 of its unit, or more where no product or score reaches a value that near."""

from __future__ import annotations

from typing import Literal

Side = Literal["down", "up"]
SHARED = "_parameters"

# (rule id, or SHARED; parameter; side) -> (step, why it is not 1).
STEPS: dict[tuple[str, str, Side], tuple[float, str]] = {
    (SHARED, "lowdose_trazodone", "up"): (25, "tablets of 50 mg and more, halved"),
    (SHARED, "lowdose_quetiapine", "up"): (25, "tablets of 25 mg and more"),
    (SHARED, "lowdose_mirtazapine", "up"): (7.5, "tablets of 7.5 mg and more"),
    ("early-antidepressant-switch", "response_from", "down"): (2, "no PHQ-9 falls by 48.2 to 49.9 %"),
}


def step(owner: str, parameter: str, side: Side) -> float:
    """The step of a parameter to one side, in its unit. owner: rule id or SHARED."""
    return STEPS.get((owner, parameter, side), (1.0, ""))[0]
