"""Words of any script for ROUGE, and how much of a text a tokenizer drops."""

from __future__ import annotations

import pytest
from rouge_score.tokenize import tokenize

from harness.data.words import english_words, letters_lost, unicode_words
from harness.score.score import score_rows

WORDS: list[tuple[str, str, list[str]]] = [
    ("Latin", "The cat's 2nd mat, é!", ["the", "cat", "s", "2nd", "mat", "é"]),
    ("Russian", "Кошка сидит на ковре.", ["кошка", "сидит", "на", "ковре"]),
    ("Greek", "Το 2020 ήταν", ["το", "2020", "ήταν"]),
    ("Hindi, vowel signs within a word", "बिल्ली चटाई पर", ["बिल्ली", "चटाई", "पर"]),
    ("Arabic with marks", "كَتَبَ الوَلَدُ", ["كَتَبَ", "الوَلَدُ"]),
    ("Persian, a joiner within a word", "می\u200cخواهم", ["میخواهم"]),
    ("Chinese", "猫坐在2个垫子上。", ["猫", "坐", "在", "2", "个", "垫", "子", "上"]),
    ("Japanese", "ネコがABCを見た", ["ネ", "コ", "が", "abc", "を", "見", "た"]),
    ("Thai, a mark with its letter", "ที่นี่", ["ที่", "นี่"]),
    ("Korean", "고양이가 앉았다", ["고양이가", "앉았다"]),
    ("one letter written in two ways", "e\u0301 \u00e9 \uff21", ["é", "é", "a"]),
    ("a mark alone", "\u0301 a", ["\u0301", "a"]),
    ("nothing", " .,_ ", []),
]


@pytest.mark.parametrize(("name", "text", "words"), WORDS, ids=[case[0] for case in WORDS])
def test_words_of_every_script(name: str, text: str, words: list[str]) -> None:
    assert unicode_words(text) == words


def test_english_words_are_rouge_scores() -> None:
    text = "The cat's 2nd mät -- 3.5%"
    assert english_words(text) == tokenize(text, None)


@pytest.mark.parametrize(
    ("text", "english"),
    [("plain text", 0.0), ("Кошка", 1.0), ("बिल्ली", 1.0), ("schöne Tür", 2 / 9), ("猫 cat", 1 / 4), ("2020 .", 0.0)],
)
def test_letters_that_a_tokenizer_drops(text: str, english: float) -> None:
    assert letters_lost([text], "english") == pytest.approx(english)
    assert letters_lost([text], "unicode") == 0.0


def rouge(gold: str, guess: str, tokenizer: str) -> float:
    rows = [{"summary": gold, "predicted": guess}]
    found = score_rows("summarization", rows, {"rouge": {"tokenizer": tokenizer}})
    assert found["options"]["rouge1"] == found["options"]["rougeL"] == {"tokenizer": tokenizer}
    return found["scores"]["rouge1"]


@pytest.mark.parametrize("text", ["Кошка сидит на ковре", "猫坐在垫子上", "बिल्ली चटाई पर बैठी", "το 2020 ήταν"])
def test_rouge_of_other_scripts(text: str) -> None:
    assert rouge(text, text, "unicode") == 100.0
    assert rouge(text, text, "english") in (0.0, 100.0)  # the letters are gone; a year would be all that counts
    assert rouge(text, "другое слово 2020", "unicode") < 50


def test_unicode_words_are_not_stemmed() -> None:
    assert rouge("running", "runs", "english") == 100.0
    assert rouge("running", "runs", "unicode") == 0.0


def test_bleu_takes_a_tokenizer() -> None:
    rows = [{"summary": "猫坐在垫子上", "predicted": "猫坐在垫子上"}]
    found = [score_rows("summarization", rows, {"bleu": {"tokenizer": name}}) for name in ("13a", "zh")]
    assert found[0]["scores"]["bleu"] == 0.0
    assert found[1]["scores"]["bleu"] == pytest.approx(100.0)
    assert found[1]["options"]["bleu"] == {"tokenizer": "zh"}
    assert "tokenizer" not in found[1]["options"]["rouge1"]
