"""A model of natural language inference that says what a text has to do with a sentence: it judges for C-score.

It is a checkpoint for the classification of two texts whose labels are entailment, neutral and contradiction. What can
be seen of it without loading it is looked at when a plan is made; so no torch is imported above.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.backbone.anatomy import positions_of
from harness.backbone.files import check_folder
from harness.base.errors import NotHere, bad, reason

WORTH = {"entailment": 1, "neutral": 0, "contradiction": -1}
HEAD = "ForSequenceClassification"  # how classes of transformers end that classify texts
BATCH = 64
PROBE = ("I have a dog .", "I have an animal .")
ANOTHER = "name a checkpoint that was trained for natural language inference"
# What other libraries read, and torch does not.
FOREIGN = ["*.h5", "*.msgpack", "*.ot", "*.onnx", "onnx/*", "*.tflite", "*.mlmodel"]


def check_judge(folder: Path) -> list[str]:
    """The checkpoint's names of entailment, neutral and contradiction; raises UserError where it cannot judge."""
    check_folder(folder)
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    said = config.get("id2label")
    names = [str(name) for name in said.values()] if isinstance(said, dict) else []
    known = {name.strip().lower(): name for name in names}
    if len(names) != len(WORTH) or set(known) != set(WORTH):
        raise bad(file, "id2label", said, f"a judge's labels are {', '.join(WORTH)} and no others; {ANOTHER}")
    heads = config.get("architectures")
    if isinstance(heads, list) and not any(str(head).endswith(HEAD) for head in heads):
        raise bad(file, "architectures", heads, f"the checkpoint has no head that classifies texts; {ANOTHER}")
    return [known[label] for label in WORTH]


def judge_folder(judge: Mapping[str, Any], fetch: bool = True) -> Path:
    """Where a planned judge lies; one of the hub is fetched at its commit. Raises NotHere where it cannot be had."""
    if judge["revision"] is None:
        return Path(judge["folder"])
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            judge["model"], revision=judge["revision"], ignore_patterns=FOREIGN, local_files_only=not fetch
        )
    except Exception as error:  # each kind of outage has an error of its own
        mend = f"it cannot be fetched ({reason(error)}); fetch it where the hub can be reached, or name a folder"
        raise NotHere(str(bad("the hub", "the model", judge["model"], mend))) from None
    return Path(found)


@cache
def judge_in(folder: Path) -> Judge:
    """The judge of a folder, loaded once in a process."""
    return Judge(folder)


class Judge:
    """A loaded checkpoint; raises UserError where it lacks its head or gives no numbers."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from harness.backbone.backbone import best_device
        from harness.backbone.load import load_model

        names = check_judge(folder)
        model, drawn = load_model(AutoModelForSequenceClassification, folder, 0, names)  # its rows in this order
        if drawn:
            raise bad(folder, "the weights that are missing", sorted(drawn), f"its labels mean nothing so; {ANOTHER}")
        try:  # as the checkpoint's own use is, which a word's first space may change
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:
            mend = f"it cannot be read ({reason(error)}); save the model's tokenizer beside it again"
            raise bad(folder, "the tokenizer", None, mend) from None
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        model.config.pad_token_id = self.tokenizer.pad_token_id
        self.device, self.room = best_device(), positions_of(folder)
        self.model = model.eval().to(self.device)
        if not torch.isfinite(self._logits([PROBE])).all():
            raise bad(folder, "the output", "NaN or infinity", f"it reads two texts and gives no number; {ANOTHER}")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Of each text and sentence 1 where the sentence follows from the text, -1 where it contradicts it, else 0."""
        different = list(dict.fromkeys(pairs))
        different.sort(key=lambda pair: len(pair[0]) + len(pair[1]))  # batches of similar length
        worth, found = list(WORTH.values()), dict.fromkeys(different, 0)
        for begin in range(0, len(different), BATCH):
            batch = different[begin : begin + BATCH]
            places = self._logits(batch).argmax(-1).tolist()
            found |= {pair: worth[place] for pair, place in zip(batch, places, strict=True)}
        return [found[pair] for pair in pairs]

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """[pairs, 3], in the order of WORTH; too long a pair is cut, the longer of its texts first."""
        import torch

        texts, sentences = ([pair[side] for pair in pairs] for side in (0, 1))
        cut = {} if self.room is None else {"truncation": True, "max_length": self.room}
        batch = self.tokenizer(texts, sentences, padding=True, return_tensors="pt", **cut)
        with torch.inference_mode():
            return self.model(**batch.to(self.device)).logits
