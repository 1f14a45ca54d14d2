"""docs/parameters.md is what its generator writes today, and its counts agree with sums done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.parameters import PAGE, SIZES, Model, models, page, paper_row
from harness.base.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def known() -> dict[str, Model]:
    return models(read_yaml(SIZES)["models"])


def test_the_page_is_what_the_script_writes_today() -> None:
    told = "docs/parameters.md is stale; run python benchmarks/parameters.py"
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), told


def test_the_bodies_have_their_known_sizes(known: dict[str, Model]) -> None:
    """Words, positions and types times width, then the layers; RoBERTa and mBERT without the pooler."""
    layer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    wide = 4 * (1024 * 1024 + 1024) + 2 * 1024 * 4096 + 4096 + 1024 + 4 * 1024
    assert known["gpt2-medium"].body == (50257 + 1024) * 1024 + 24 * wide + 2 * 1024
    assert known["roberta-base"].body == (50265 + 514 + 1 + 2) * 768 + 12 * layer
    assert known["bert-base-multilingual-cased"].body == (119547 + 512 + 2 + 2) * 768 + 12 * layer
    cross = 4 * (768 * 768 + 768) + 2 * 768
    # Both stacks share the words; each has 1024 positions, two of them spare, and a norm after its embeddings.
    assert known["bart-base"].body == 50265 * 768 + 2 * (1026 * 768 + 2 * 768) + 12 * layer + 6 * cross


def row(known: dict[str, Model], **changes: object) -> str:
    base = {
        "paper": "p",
        "place": "t",
        "row": "r",
        "model": "gpt2-medium",
        "method": "lora",
        "claimed": "1%",
        "source": "P",
    }
    return paper_row(base | changes, known)


def test_a_row_counts_the_setting_that_it_names(known: dict[str, Model]) -> None:
    share = 24 * 4 * (1024 + 3 * 1024) / known["gpt2-medium"].body
    assert f"| {100 * share:.3g}% |" in row(known, options={"rank": 4, "targets": "query_value"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "nowhere"}, "missing: there is no method `nowhere`"),
        ({"options": {"ronk": 4}}, "missing: `lora` has no option ronk"),
        ({"options": {"rank": "four"}}, "missing: paper_sizes.yaml: lora.rank is 'four'"),
    ],
    ids=["method", "option", "value"],
)
def test_what_is_missing_is_named(known: dict[str, Model], changes: dict[str, object], told: str) -> None:
    assert told in row(known, **changes)
