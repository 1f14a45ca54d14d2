"""Letters that LaTeX does not take as they are, in the words of pdfLaTeX with T1 and textcomp."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "°": r"\textdegree{}",
    "§": r"\S{}", "†": r"\dag{}", "‡": r"\ddag{}", "¶": r"\P{}", "●": r"\textbullet{}", "○": r"\textopenbullet{}",
}  # fmt: skip
MATHS = {
    "→": "rightarrow", "←": "leftarrow", "↑": "uparrow", "↓": "downarrow", "↔": "leftrightarrow", "⇒": "Rightarrow",
    "−": "-", "±": "pm", "×": "times", "·": "cdot", "≈": "approx", "≠": "neq", "≡": "equiv", "∼": "sim", "≅": "cong",
    "≥": "geq", "≤": "leq", "∝": "propto", "∞": "infty", "√": "surd", "∑": "sum", "∏": "prod", "∂": "partial",
    "∆": "Delta", "∇": "nabla", "∈": "in", "∉": "notin", "∪": "cup", "∩": "cap", "⊂": "subset", "⊕": "oplus",
    "⊗": "otimes", "★": "star", "⋆": "star", "△": "triangle", "▲": "triangle", "✓": "surd", "✔": "surd", "✗": "times",
    "✘": "times", "′": "prime", "ℓ": "ell", "ο": "o", "ς": "varsigma",
}  # fmt: skip
# Greek capitals that look like Latin ones have no name of their own in LaTeX.
LATIN_CAPITALS = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))


GREEK = re.compile("GREEK (?P<size>SMALL|CAPITAL) LETTER (?P<name>[A-Z]+)")


@cache
def of_latex(letter: str) -> str:
    """A letter as LaTeX shows it; itself where it is taken as it is, or has no words (other scripts need XeLaTeX)."""
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter in LATIN_CAPITALS:
        return LATIN_CAPITALS[letter]
    if word := MATHS.get(letter) or _greek(letter):
        return f"${word}$" if len(word) == 1 else rf"$\{word}$"
    kind, _, letters = unicodedata.decomposition(letter).partition("> ")
    if not letters or ord(letter) < 0x0180:  # T1 has these
        return letter
    plain = "".join(of_latex(chr(int(code, 16))) for code in letters.split())
    raised = {"<super": "textsuperscript", "<sub": "textsubscript"}.get(kind)
    return rf"\{raised}{{{plain}}}" if raised else plain


def _greek(letter: str) -> str | None:
    """The name of a Greek letter without an accent in LaTeX, where it has one."""
    found = GREEK.fullmatch(unicodedata.name(letter, ""))
    if found is None:
        return None
    name = found["name"].lower().replace("lamda", "lambda")
    return name.capitalize() if found["size"] == "CAPITAL" else name
