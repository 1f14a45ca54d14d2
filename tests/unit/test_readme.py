"""The answers on README.md are those of the reference results."""

from __future__ import annotations

import re
from math import expm1

import pandas as pd
import pytest

from tests.project import ROOT

REFERENCE = ROOT / "results" / "reference"
SIDES = {  # in the order in which a line tells them
    "embedded": [REFERENCE / "claims"],
    "real": [REFERENCE / "real-ner", REFERENCE / "real-lm"],
}
ANSWER = re.compile(
    r"\*\*(\w+)\*\*, (-?[0-9.]+)(?: [\w-]+|%) \[(-?[0-9.]+), (-?[0-9.]+)\](?:, where (\d+) seeds would show ([0-9.]+))?"
)


def lines() -> dict[str, list[tuple[str, ...]]]:
    """The answers of each line that says what a claim says: their words and numbers."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    items = [" ".join(item.split()) for item in re.split(r"\n- |\n\n", text)]
    return {item.removeprefix("- ").partition(":")[0]: ANSWER.findall(item) for item in items if ANSWER.search(item)}


@pytest.mark.parametrize("says", lines())
def test_an_answer_is_that_of_the_reference_results(says: str) -> None:
    told = lines()[says]
    for folders, answer in zip(SIDES.values(), told, strict=False):
        claims = pd.concat([pd.read_csv(file) for folder in folders for file in folder.glob("papers/*/claims.csv")])
        claims = claims[(claims.says.str.rstrip(".") == says) & (claims.answer != "not run")]
        (its,) = claims.itertuples()
        values = (its.effect, its.low, its.high)
        shown = [100 * expm1(value) for value in values] if its.scale == "log_ratio" else values
        *numbers, seeds, smallest = answer
        assert numbers == [its.answer, *(f"{value:.1f}" for value in shown)]
        seen = 100 * its.smallest if its.scale == "log_ratio" else its.smallest
        assert not seeds or (int(seeds), float(smallest)) == (its.seeds_needed, seen)


def test_the_page_tells_of_both() -> None:
    assert max(len(told) for told in lines().values()) == len(SIDES)
