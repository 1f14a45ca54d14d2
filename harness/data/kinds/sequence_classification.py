"""Sequence classification: one text, or two, have one class or one number."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal, Self

from harness.base.errors import bad
from harness.contracts.method import Kind
from harness.contracts.model import one_of
from harness.contracts.reader import Tagging
from harness.contracts.task import Labels
from harness.data.grammar import Grammar, Part
from harness.data.kinds import SAMPLE
from harness.data.rows import RowFault, prose_of
from harness.data.task import Example, Features, Task

OF_CLASSES = ("accuracy", "f1", "matthews")
OF_NUMBERS = ("pearson", "spearman")
NUMBER = "number"  # the name of the head's row that predicts a number


class SequenceClassification(Task):
    """Examples are {id, text, label}, and `pair` where an example is two texts.

    A label is the name of a class, or a number; task.yaml says which there are, under `labels` for all domains or
    under `labels_by_domain`. Domains with labels of their own have heads of their own: `at` gives the task of one.
    """

    kind: ClassVar[Kind] = "sequence-classification"
    fields: ClassVar[tuple[str, ...]] = ("text", "label")
    inputs: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ("pair",)
    scores: ClassVar[dict[str, Literal["max", "min"]]] = dict.fromkeys((*OF_CLASSES, *OF_NUMBERS), "max")
    sample: ClassVar[Example] = {"text": SAMPLE, "pair": SAMPLE}

    own: Labels | None = None  # what is predicted, once the domain is known or all have the same
    head: tuple[str, ...] = ()  # the names of the head's rows
    first: int = 0  # the first of them that is the domain's

    def check(self) -> None:
        """Raise UserError where labels are missing, of a domain that there is not, or not what a metric scores."""
        where, spec = self.folder / "task.yaml", self.spec
        domains = {domain: source for source, its in spec.sources.items() for domain in its.named}
        if spec.labels is None and not spec.labels_by_domain:
            raise bad(where, "labels", None, "say what is predicted: {classes: [no, yes]}, or {numbers: [0, 5]}")
        for domain in spec.labels_by_domain:
            one_of(domain, list(domains), where, "labels_by_domain")
        super().check()
        for field, labels in [("labels", spec.labels), *spec.labels_by_domain.items()]:
            if labels:
                name = field if field == "labels" else f"labels_by_domain.{field}"
                self._check_metric(f"{name}.metric" if labels.metric else "metric", labels)
        if spec.labels and not spec.labels_by_domain:
            self._stand_for(spec.labels, _names(spec.labels), 0)

    def at(self, domain: str, among: Sequence[str] = ()) -> Task:
        """The task of one domain. With others that have other labels the head has rows for each, one after another."""
        labels = {name: self._labels_of(name) for name in dict.fromkeys((*among, domain))}
        its, found = labels[domain], copy.copy(self)
        if all((other.classes, other.numbers) == (its.classes, its.numbers) for other in labels.values()):
            return found._stand_for(its, _names(its), 0)
        rows = {name: [f"{name}: {row}" for row in _names(other)] for name, other in labels.items()}
        head = [row for names in rows.values() for row in names]
        return found._stand_for(its, head, head.index(rows[domain][0]))

    def metric_of(self, domain: str) -> str:
        """The domain's own metric, or the task's."""
        return self._labels_of(domain).metric or self.spec.metric

    def metric_options(self, domain: str) -> dict[str, dict[str, Any]]:
        """The classes, which F1 has to know."""
        classes = self._labels_of(domain).classes
        return {"classification": {"classes": classes}} if classes else {}

    @property
    def labels(self) -> list[str]:
        """The names of the head's rows; raises ValueError where domains differ and none was named."""
        if not self.head:
            raise ValueError(f"the domains of {self.folder.name} have labels of their own; ask the task `at` one")
        return list(self.head)

    def text(self, example: Example) -> str:
        return f"{example['text']} {example['pair']}" if "pair" in example else str(example["text"])

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """A text, or two, of one of the grammar's labels."""
        text, pair, label = grammar.labelled(rng, part)
        row = {"text": text, "label": label} | ({} if pair is None else {"pair": pair})
        try:
            return self.from_row(row, Tagging())
        except RowFault as fault:
            raise bad(grammar.where, f"labelled.{fault.field}", fault.value, fault.mend) from None

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """Classes are numbers in the order of `classes`."""
        classes = self.own.classes if self.own else None
        label = row.get("label")
        if classes and isinstance(label, int):
            if not 0 <= label < len(classes):
                raise RowFault("label", label, f"there are {len(classes)} classes, counted from 0; take another split")
            row = row | {"label": classes[label]}
        return self.from_row(row, Tagging())

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """One text or two, each a string or a list of sentences, and a label where there is one."""
        example: dict[str, Any] = {field: prose_of(field, row[field]) for field in ("text", "pair") if field in row}
        if "label" not in row:
            return example
        assert self.own is not None
        label = row["label"]
        if self.own.numbers:
            return example | {"label": _number(label, self.own.numbers)}
        return example | {"label": _class(label, tagging, self.own.classes or [])}

    def check_scored(self, domain: str, examples: list[Example]) -> None:
        """Refuse test examples that all have one label: any answer would do, and no correlation is defined."""
        if len({example["label"] for example in examples}) == 1:
            label = examples[0]["label"]
            mend = f"all {len(examples)} test examples of domain {domain!r} have this label; take others, or more"
            raise bad(self.folder / "task.yaml", "the label", label, mend)

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """The text, or the tokenizer's own encoding of the pair; of too long a pair the longer text is cut.

        `labels` are the first of the head's rows that is the domain's, how many it has, and the answer: the place of
        the class among them, or the number. `token_type_ids` say of which text a token is, where the tokenizer does.
        """
        features = []
        for example in examples:
            texts = [example["text"], *([example["pair"]] if "pair" in example else [])]
            coded = tokenizer(*texts, truncation=True, max_length=max_length)
            row = {"input_ids": coded["input_ids"]}
            if "token_type_ids" in coded:
                row["token_type_ids"] = coded["token_type_ids"]
            if "label" in example:
                row["labels"] = self._answer(example["label"])
            features.append([row])
        return features

    def answer(self, logits: Sequence[float]) -> str | float:
        """What the logits of the head's rows say: the class with the largest of the domain's own, or its number."""
        assert self.own is not None
        if self.own.classes is None:
            return logits[self.first]
        own = logits[self.first : self.first + len(self.own.classes)]
        return self.own.classes[own.index(max(own))]

    def _answer(self, label: str | float) -> list[int | float]:
        assert self.own is not None
        if self.own.classes is None:
            return [self.first, 1, float(label)]
        return [self.first, len(self.own.classes), self.own.classes.index(str(label))]

    def _stand_for(self, own: Labels, head: Sequence[str], first: int) -> Self:
        self.own, self.head, self.first = own, tuple(head), first
        return self

    def _labels_of(self, domain: str) -> Labels:
        found = self.spec.labels_by_domain.get(domain, self.spec.labels)
        if found is None:
            where, mend = self.folder / "task.yaml", "the domain has no labels; add what is predicted there"
            raise bad(where, f"labels_by_domain.{domain}", None, mend)
        return found

    def _check_metric(self, field: str, labels: Labels) -> None:
        able = OF_NUMBERS if labels.numbers else OF_CLASSES
        if (metric := labels.metric or self.spec.metric) not in able:
            what = "numbers" if labels.numbers else "classes"
            mend = f"{what} are scored by {', '.join(able)}; name one of them"
            raise bad(self.folder / "task.yaml", field, metric, mend)


def _names(labels: Labels) -> list[str]:
    return list(labels.classes or [NUMBER])


def _class(label: Any, tagging: Tagging, classes: Sequence[str]) -> str:
    """A class of ours; a whole number is taken as it is written."""
    name = str(label) if isinstance(label, int) and not isinstance(label, bool) else label
    if not isinstance(name, str):
        raise RowFault("label", label, f"it is of type {type(label).__name__}; write the name of a class")
    name = tagging.labels.get(name.strip(), name.strip())
    if name not in classes:
        mend = f"use one of the classes {', '.join(classes)}, or say under `labels` which of them it is"
        raise RowFault("label", label, mend)
    return name


def _number(label: Any, span: tuple[float, float]) -> float:
    low, high = span
    try:
        number = float("nan") if isinstance(label, bool) else float(label)
    except (TypeError, ValueError):
        number = float("nan")
    if not math.isfinite(number) or not low <= number <= high:
        raise RowFault("label", label, f"it is no number from {low:g} to {high:g}; mend it, or the range `numbers`")
    return number
