"""Words as ROUGE counts them, and how much of a text each way of finding them loses."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

# Scripts written without spaces between words, by how the names of their characters begin.
UNSPACED = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
JOINERS = "\u200c\u200d"  # they shape the letters around them and part no word


def english_words(text: str) -> list[str]:
    """rouge-score's words before stemming: runs of a-z and 0-9, parted by all else."""
    from rouge_score.tokenize import tokenize

    found: list[str] = tokenize(text, None)
    return found


def unicode_words(text: str) -> list[str]:
    """Runs of letters, marks and digits of any script, in small letters; of scripts without spaces each character.

    A mark belongs to the letter before it. Characters that differ in form alone count as one (Unicode's NFKC).
    """
    words: list[str] = []
    before = ""  # what may go on the last word: its last letter, or nothing after a space or a sign
    for sign in unicodedata.normalize("NFKC", text).lower():
        kind = unicodedata.category(sign)[0]
        if sign in JOINERS:
            continue
        if before and (kind == "M" or (kind in "LN" and not _stands_alone(sign) and not _stands_alone(before))):
            words[-1] += sign
        elif kind in "LMN":
            words.append(sign)
        before = sign if kind in "LN" else before if kind == "M" else ""
    return words


@cache
def _stands_alone(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith(UNSPACED)


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {"english": english_words, "unicode": unicode_words}


def letters_lost(texts: Iterable[str], tokenizer: str) -> float:
    """The share of the texts' letters, with their marks, that stand in no word of a tokenizer."""
    written = kept = 0
    for text in texts:
        written += _letters(text.lower())
        kept += _letters("".join(TOKENIZERS[tokenizer](text)))
    return max(0.0, 1 - kept / written) if written else 0.0


def _letters(text: str) -> int:
    return sum(unicodedata.category(sign)[0] in "LM" for sign in text)
