"""Replies of dialogues: their perplexity, and where texts were generated BLEU, distinct-n and what is copied.

- `perplexity`: exp(sum of negative log-likelihoods / number of tokens) of the true replies, in tokens of the model's
  own tokenizer, the end sign of each reply included and no sign before it. It compares only on the same backbone.
- `bleu`: corpus BLEU-4 of the generated replies as Moses' multi-bleu counts it with `-lc` (Madotto et al., 2019): in
  small letters, words parted by spaces as they stand, without smoothing, so it is 0 where no four words agree.
- `distinct1`, `distinct2`: the different words, and pairs of words, of all generated replies, in percent of all of
  them (Li et al., 2016, section 5.2): low where one answer serves all questions.
- `copied`: the words of the generated replies that stand in the partner's last turn too, in percent of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import datasets
import evaluate
import sacrebleu

from harness.score.metrics.perplexity import perplexity_of

GENERATED = ("bleu", "distinct1", "distinct2", "copied")


class Dialogue(evaluate.Metric):
    """Predictions are {nll, tokens, replies}, any of them None; references the dialogues' turns, [partner's, reply]."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        its = {"nll": datasets.Value("float64"), "tokens": datasets.Value("int64"), "replies": datasets.List(text)}
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Madotto et al., 2019; Li et al., 2016",
            features=datasets.Features({"predictions": its, "references": datasets.List(datasets.List(text))}),
        )

    def compute(self, *, predictions: list[dict[str, Any]], references: list[Any], **options: Any) -> dict[str, Any]:
        """The scores of what the predictions hold; a kind of score that some prediction lacks is left out."""
        filled = [dict.fromkeys(("nll", "tokens", "replies")) | row for row in predictions]
        found: dict[str, Any] = super().compute(predictions=filled, references=references, **options)
        return found

    def _compute(self, predictions: list[dict[str, Any]], references: list[list[list[str]]]) -> dict[str, Any]:
        """Scores, and of the perplexity what each dialogue adds to both sums; without likelihoods it is not defined."""
        scores: dict[str, float | None] = {"perplexity": None}
        statistics: dict[str, Any] = {}
        undefined = {"perplexity": "the method answers in texts alone, and gives no likelihood"}
        if all(row["nll"] is not None for row in predictions):
            rows = [[float(row["nll"]), float(row["tokens"])] for row in predictions]
            scores, statistics, undefined = {"perplexity": perplexity_of(rows)}, {"perplexity": rows}, {}
        if all(row["replies"] is not None for row in predictions):
            made = [reply for row in predictions for reply in row["replies"]]
            wanted = [turn for turns in references for turn in turns]
            if len(made) != len(wanted):
                raise ValueError(f"the method gave {len(made)} replies, and {len(wanted)} were asked for")
            scores |= generated_scores(made, [reply for _, reply in wanted], [partner for partner, _ in wanted])
        return {"scores": scores, "statistics": statistics, "undefined": undefined}


def generated_scores(made: list[str], wanted: list[str], asked: list[str]) -> dict[str, float | None]:
    """The scores of generated replies against the true ones and what the partner had said."""
    options: dict[str, Any] = {"lowercase": True, "tokenize": "none", "smooth_method": "none", "force": True}
    words = [_words(reply) for reply in made]
    copied = [word in said for reply, said in zip(words, map(set, map(_words, asked)), strict=True) for word in reply]
    return {
        "bleu": sacrebleu.corpus_bleu(made, [wanted], **options).score,
        "distinct1": _share_different(word for reply in words for word in reply),
        "distinct2": _share_different(pair for reply in words for pair in pairwise(reply)),
        "copied": 100 * sum(copied) / len(copied) if copied else 0.0,
    }


def _words(text: str) -> list[str]:
    return text.lower().split()


def _share_different(items: Iterator[Any]) -> float:
    """How many are different, in percent of all; 0 where there are none."""
    found = list(items)
    return 100 * len(set(found)) / len(found) if found else 0.0
