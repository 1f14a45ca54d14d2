"""How near a method came to the trained share that a run asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from harness.contracts.plan import Block, Plan
from harness.table.influence import Floats

NOT_MATCHED = "not matched"  # the method has no size to solve; it runs as it is


def share_columns(block: Block, shares: Floats, sizes: Iterable[str | None]) -> dict[str, object]:
    """The share of the backbone that trained (the head aside), the share asked for, and the size solved for it."""
    known, solved = shares[~np.isnan(shares)], sorted({size for size in sizes if isinstance(size, str)})
    return {
        "trained_share": float(known.mean()) if len(known) else None,
        "wanted_share": block.match_parameters,
        "sized": NOT_MATCHED if block.match_parameters and not block.sized_by else "; ".join(solved) or None,
    }


def share_in_words(plan: Plan, records: pd.DataFrame, task: str, method: str) -> str:
    """The share for a reader, as in "1.02% (rank 4)"; what did not reach the wanted share says so by its number."""
    mine = records[(records.task == task) & (records.method == method)]
    shares = pd.to_numeric(mine.trained_share, errors="coerce").to_numpy(dtype=np.float64)
    columns = share_columns(plan.block(task, method), shares, mine.sized)
    share, sized = columns["trained_share"], columns["sized"]
    shown = f"{100 * share:.3g}%" if isinstance(share, float) else "–"
    return f"{shown} ({sized})" if sized else shown
