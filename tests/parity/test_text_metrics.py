"""Metrics of texts with several references against their libraries, and CIDEr against a plain second writing."""

from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import Any
from unittest import mock

import pytest
import sacrebleu
from nltk.translate.meteor_score import meteor_score
from nltk.translate.nist_score import corpus_nist
from rouge_score.rouge_scorer import RougeScorer

from harness.score.metrics import meteor
from harness.score.score import score_rows
from harness.score.texts import words

SENTENCES = [
    "The Lumo is a red lamp that costs 12 euros.",
    "In Arden you can hire the Lumo, a lamp.",
    "Ann Lee wrote the Silver Sonata, and it's played in Riga.",
    "Second was Bo Berg of the Hares.",
    "It dates from 1920.",
    "Lamps cost 1,200.50 euros (or more).",
]
Rows = list[dict[str, Any]]


def rows_of(seed: int) -> Rows:
    """Texts near one of their references, with one to three of these, and odd ones."""
    rng, rows = Random(seed), []
    for text in SENTENCES:
        kept = [word for word in text.split() if rng.random() < 0.8]
        references = [text, *rng.sample(SENTENCES, rng.randrange(3))]
        rows.append({"predicted": " ".join(kept), "references": references})
    odd: list[tuple[str, list[str]]] = [
        ("", ["An empty text."]),
        ("word", ["word"]),
        ("The very same.", ["the Very same.", "The very same."]),
        ("nothing shared", ["all else"]),
        ("the the the the", ["the cat", "a the"]),
    ]
    return rows + [{"predicted": guess, "references": golds} for guess, golds in odd]


def scores(rows: Rows, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = score_rows("data-to-text", rows, options)["scores"]
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lowercase", [False, True])
def test_bleu_is_sacrebleus(seed: int, lowercase: bool) -> None:
    rows = rows_of(seed)
    longest = max(len(row["references"]) for row in rows)
    streams = [[(row["references"] + [None] * longest)[place] for row in rows] for place in range(longest)]
    wanted = sacrebleu.corpus_bleu([row["predicted"] for row in rows], streams, lowercase=lowercase).score
    assert scores(rows, bleu={"lowercase": lowercase})["bleu"] == pytest.approx(wanted, abs=1e-9)
    firsts = [row | {"references": row["references"][:1]} for row in rows]
    assert scores(firsts)["bleu"] < wanted


def test_bleu_in_small_letters_counts_as_the_e2e_script(tmp_path: object) -> None:
    """Clipped n-grams of mteval's words in small letters, the nearest reference's length, the shorter where two are."""
    rows = rows_of(0)
    hits, total, mine, its = [0] * 4, [0] * 4, 0, 0
    for row in rows:
        guess, golds = words(row["predicted"]), [words(text) for text in row["references"]]
        mine += len(guess)
        its += min((abs(len(gold) - len(guess)), len(gold)) for gold in golds)[1]
        for n in range(4):
            held = grams(guess, n + 1)
            total[n] += len(held)
            for gram in set(held):
                hits[n] += min(held.count(gram), max(grams(gold, n + 1).count(gram) for gold in golds))
    mean = sum(math.log(one / all_) for one, all_ in zip(hits, total, strict=True)) / 4
    wanted = 100 * math.exp(mean + min(0.0, 1 - its / mine))
    assert scores(rows, bleu={"lowercase": True})["bleu"] == pytest.approx(wanted, abs=1e-9)


def grams(text: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(text[begin : begin + n]) for begin in range(len(text) - n + 1)]


@pytest.mark.parametrize("seed", range(3))
def test_rouge_is_the_best_reference(seed: int) -> None:
    rows = rows_of(seed)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    best = [max(scorer.score(its, row["predicted"])["rougeL"].fmeasure for its in row["references"]) for row in rows]
    assert scores(rows)["rougeL"] == pytest.approx(100 * sum(best) / len(best), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_nist_is_nltks(seed: int) -> None:
    rows = rows_of(seed)
    golds = [[words(text) for text in row["references"]] for row in rows]
    wanted = corpus_nist(golds, [words(row["predicted"]) for row in rows], 5)
    assert scores(rows)["nist"] == pytest.approx(wanted, abs=1e-9)


def test_nist_by_hand() -> None:
    """Four different words seen once: log2(4) bits each, and none for what follows one word alone (equation 2)."""
    one = [{"predicted": "a b c d", "references": ["a b c d"]}]
    assert scores(one)["nist"] == pytest.approx(2.0)
    short = [{"predicted": "a b c", "references": ["a b c d"]}]
    beta = math.log(0.5) / math.log(1.5) ** 2
    assert scores(short)["nist"] == pytest.approx(2.0 * math.exp(beta * math.log(3 / 4) ** 2))
    assert scores([{"predicted": "", "references": ["a b"]}])["nist"] == 0.0
    twice = [{"predicted": "a b", "references": ["a b", "a c"]}]  # of four words a is two: 1 bit, b 2, and b after a 1
    assert scores(twice)["nist"] == pytest.approx((1 + 2) / 2 + 1)


class Synonyms:
    """A word net of one pair."""

    def synsets(self, word: str) -> list[Any]:
        lemma = mock.Mock()
        lemma.name.return_value = "light"
        return [mock.Mock(lemmas=mock.Mock(return_value=[lemma]))] if word == "lamp" else []

    def ensure_loaded(self) -> None:
        pass


def test_meteor_has_no_value_without_its_word_net() -> None:
    with mock.patch.object(meteor, "_installed", return_value=False):
        found = score_rows("data-to-text", rows_of(0))
    assert found["scores"]["meteor"] is None
    assert "word net is not on this machine" in found["undefined"]["meteor"]
    assert "meteor" not in found["statistics"]


def test_meteor_is_nltks_with_a_word_net_and_without() -> None:
    rows: Rows = [*rows_of(0), {"predicted": "the lamp", "references": ["the light"]}]
    for name, net in (("meteor", Synonyms()), ("meteor_stem", meteor.NoSynonyms())):
        each = [
            meteor_score([words(its) for its in row["references"]], words(row["predicted"]), wordnet=net)
            for row in rows
        ]
        with mock.patch.object(meteor, "wordnet", Synonyms()):
            found = score_rows("data-to-text", rows)
        assert found["scores"][name] == pytest.approx(100 * sum(each) / len(each), abs=1e-9)
        assert [value for value, _ in found["statistics"][name]] == pytest.approx([100 * its for its in each])
    assert found["scores"]["meteor"] > found["scores"]["meteor_stem"]
    stems = scores([{"predicted": "lamps cost", "references": ["lamp costs"]}])["meteor_stem"]
    assert stems == pytest.approx(100 * (1 - 0.5 * 0.5**3))  # two stems in one piece: Lavie and Agarwal's penalty


@pytest.mark.parametrize("seed", range(3))
def test_cider_is_its_formula_written_plainly(seed: int) -> None:
    rows = rows_of(seed)
    found = score_rows("data-to-text", rows)
    each = [plain_cider(row, rows) for row in rows]
    assert [value for value, _ in found["statistics"]["cider"]] == pytest.approx(each, abs=1e-9)
    assert found["scores"]["cider"] == pytest.approx(sum(each) / len(each), abs=1e-9)
    assert 0 < found["scores"]["cider"] < 10


def plain_cider(row: dict[str, Any], rows: Rows) -> float:
    """CIDEr-D (Vedantam et al., 2015, equation 5), dense: every n-gram of the pair is an axis."""
    guess, total = words(row["predicted"]), 0.0
    for text, n in product(row["references"], (1, 2, 3, 4)):
        gold = words(text)
        axes = sorted({*grams(guess, n), *grams(gold, n)})
        weight = [
            math.log(len(rows))
            - math.log(max(1, sum(any(axis in grams(words(its), n) for its in one["references"]) for one in rows)))
            for axis in axes
        ]
        mine = [grams(guess, n).count(axis) * by for axis, by in zip(axes, weight, strict=True)]
        its = [grams(gold, n).count(axis) * by for axis, by in zip(axes, weight, strict=True)]
        lengths = math.hypot(*mine) * math.hypot(*its)
        if lengths:
            product_ = sum(min(a, b) * b for a, b in zip(mine, its, strict=True))
            total += product_ / lengths * math.exp(-((len(guess) - len(gold)) ** 2) / 72)
    return 10 * total / 4 / len(row["references"])


def test_cider_at_its_ends() -> None:
    same = [{"predicted": text, "references": [text]} for text in SENTENCES[:4]]
    assert scores(same)["cider"] == pytest.approx(10.0)
    assert scores(same[:1])["cider"] == 0.0  # one record alone: no n-gram tells it from others
    assert scores([row | {"predicted": ""} for row in same])["cider"] == 0.0
