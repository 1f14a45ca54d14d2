"""How near a method came to the trained share that a run asked for."""

from __future__ import annotations

import pandas as pd

from harness.contracts.plan import Plan

NOT_MATCHED = "not matched"  # the method has no size to solve; it runs as it is


def share_columns(plan: Plan, cells: pd.DataFrame, task: str, method: str) -> dict[str, object]:
    """The share of the backbone that trained (the head aside), the share asked for, and the size solved for it."""
    block = plan.block(task, method)
    shares = pd.to_numeric(cells.trained_share, errors="coerce").dropna()
    solved = sorted(set(cells.sized.dropna()))
    return {
        "trained_share": float(shares.mean()) if len(shares) else None,
        "wanted_share": block.match_parameters,
        "sized": NOT_MATCHED if block.match_parameters and not block.sized_by else "; ".join(solved) or None,
    }


def share_in_words(plan: Plan, records: pd.DataFrame, task: str, method: str) -> str:
    """The share for a reader, as in "1.02% (rank 4)"; what did not reach the wanted share says so by its number."""
    columns = share_columns(plan, records[(records.task == task) & (records.method == method)], task, method)
    share, sized = columns["trained_share"], columns["sized"]
    shown = f"{100 * share:.3g}%" if isinstance(share, float) else "–"
    return f"{shown} ({sized})" if sized else shown
