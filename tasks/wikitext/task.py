"""WikiText: an example is a window of one article; no window reaches over the end of its article.

Perplexity is that of every causal-lm task here: a token of the model's own tokenizer, the end sign of each window
included. Numbers in tokens compare on one backbone alone. A word-level number, as word-level models print it on the
tokenised files, is exp(nats / words) where words are what spaces part and each line end counts as one (`<eos>`).
Hou et al. (2022) do not say which of the two Figure 5 shows. Its largest budget, 2,318, is about the training text
in windows of 1,024 tokens of GPT-2; a window of WORDS words has about as many.

The raw files keep every word. In the tokenised ones rare words are `<unk>`, which a tokenizer of word pieces reads
as a text like any other, so scores on the two do not compare.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from harness.base.errors import bad
from harness.contracts.task import HubSet
from harness.data.files import hub_table, text_lines
from harness.data.grammar import Grammar, Part
from harness.data.kinds import CausalLM
from harness.data.rows import numbered
from harness.data.task import Splits

PLACES = 4  # of an embedded article in one window
WORDS = 880  # at most in a window of a real article; GPT-2 reads 1.16 tokens a word of these files
LINE_END = "<eos>"  # what some copies of the tokenised files hold in place of, or beside, a line's end
NAMES = ("{}.txt", "wiki.{}.raw", "wiki.{}.tokens")  # a split's file, by the split's own name
THEIRS = {"train": "train", "dev": "valid", "test": "test"}


class WikiText(CausalLM):
    """A domain is a field of knowledge, or a data set in WikiText's own layout."""

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A few places in a row of one article, its headings among them."""
        sentences, _ = grammar.document(rng, part, PLACES)
        return {"text": " ".join(sentences)}

    def read_local(self, domain: str, folder: Path) -> Splits:
        """`<domain>/{train,valid,test}.txt`, or `wiki.*.raw` or `wiki.*.tokens` as the archives call them."""
        splits: Splits = {}
        for split, theirs in THEIRS.items():
            file = split_file(folder / domain, theirs)
            splits[split] = numbered(domain, split, examples(text_lines(file), str(file)))
        return splits | {"unlabeled": splits["train"]}

    def read_hub(self, domain: str, hub: HubSet) -> Splits:
        """The same lines as rows of a hub data set; a blank line is an empty row there."""
        splits: Splits = {}
        for split, name in hub.splits.items():
            lines = [str(row["text"]).removesuffix("\n") for row in hub_table(hub, name)]
            splits[split] = numbered(domain, split, examples(lines, f"hub data set {hub.id}, {name}"))
        return splits | {"unlabeled": splits["train"]}


def split_file(folder: Path, split: str) -> Path:
    """The one file of a split; raises UserError where several could be it. Where none is, that of the first name."""
    files = [folder / name.format(split) for name in NAMES]
    found = [file for file in files if file.is_file()]
    if len(found) > 1:
        mend = f"{found[1].name} is there too, and they may differ; keep one of them"
        raise bad(found[0], "the data file", found[0].name, mend)
    return found[0] if found else files[0]


def examples(lines: Iterable[str], where: str) -> list[dict[str, Any]]:
    """The windows of all articles, in order; raises UserError where the lines are no articles."""
    return [{"text": window} for article in articles(lines, where) for window in windows(article)]


def articles(lines: Iterable[str], where: str) -> list[list[str]]:
    """Each article's lines that show something; it begins with its title, ` = Title = ` between blank lines.

    A line within a paragraph may look like a title (a formula's end, say), which blank lines around it tell apart.
    """
    flat = [
        (number, part.strip())
        for number, line in enumerate(lines, 1)
        for part in line.rstrip().removesuffix(LINE_END).split(LINE_END)
    ]
    found: list[list[str]] = []
    for place, (number, line) in enumerate(flat):
        if not line:
            continue
        if is_title(line) and not any(
            text for _, text in [*flat[max(0, place - 1) : place], *flat[place + 1 : place + 2]]
        ):
            found.append([])
        elif not found:
            mend = "no title stands before it; let the file begin with ` = Title = ` between blank lines"
            raise bad(f"{where}: line {number}", "the line", line, mend)
        found[-1].append(line)
    if not found:
        raise bad(where, "the number of articles", 0, "it holds none; fetch it again")
    return found


def is_title(line: str) -> bool:
    """Whether a line is a heading of the first level: one sign on either side, sections have more."""
    signs = line.split()
    return len(signs) > 2 and signs[0] == signs[-1] == "=" and "=" not in (signs[1], signs[-2])


def windows(article: list[str]) -> Iterator[str]:
    """The fewest windows that the article needs, as long as one another to a word."""
    words = [word for line in article for word in line.split()]
    count = -(-len(words) // WORDS)
    for place in range(count):
        yield " ".join(words[len(words) * place // count : len(words) * (place + 1) // count])
