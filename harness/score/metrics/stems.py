"""Porter's stems by nltk, each word's found once: ROUGE and METEOR ask for the same few thousand again and again."""

from __future__ import annotations

from functools import cache

from nltk.stem.porter import PorterStemmer


class Stems(PorterStemmer):
    """A stemmer that remembers."""

    @cache  # noqa: B019 one object stands for all of a process
    def stem(self, word: str, to_lowercase: bool = True) -> str:
        """The stem of a word."""
        found: str = super().stem(word, to_lowercase)
        return found


STEMS = Stems()
