"""One cell as a user would run it without us: a process with transformers' Trainer, PEFT and a library's metric.

Reads a cell as JSON (see benchmarks/grid.py) and prints its score.

    python benchmarks/peer.py CELL.json
"""

from __future__ import annotations

import json
import sys
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from rouge_score.rouge_scorer import RougeScorer
from seqeval.metrics import f1_score
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    DataCollatorForTokenClassification,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    Trainer,
    TrainingArguments,
)

IGNORED = -100


def rows(file: str, most: int | None = None) -> list[dict[str, Any]]:
    """The examples of a file of JSON lines."""
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()][:most]


def arguments(cell: dict[str, Any]) -> dict[str, Any]:
    """What both trainers are told."""
    return {
        "output_dir": cell["folder"],
        "max_steps": cell["steps"],
        "per_device_train_batch_size": cell["batch_size"],
        "per_device_eval_batch_size": 32,
        "learning_rate": cell["lr"],
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": cell["seed"],
    }


def adapted(model: Any, cell: dict[str, Any], task: str) -> Any:
    """The model, with PEFT's LoRA where the method is that."""
    if cell["method"] != "lora":
        return model
    # The new head trains whole, which "all-linear" alone does not leave it.
    head = {"exclude_modules": ["classifier"]} if task == "TOKEN_CLS" else {}
    return get_peft_model(model, LoraConfig(task_type=task, r=8, lora_alpha=16, target_modules="all-linear", **head))


def tag_names(cell: dict[str, Any], tokenizer: Any) -> float:
    """F1 of names, the first piece of each word being tagged."""
    names = sorted({tag for file in (cell["train"], cell["test"]) for row in rows(file) for tag in row["tags"]})
    places = {name: place for place, name in enumerate(names)}

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        coded = tokenizer(row["tokens"], is_split_into_words=True, truncation=True, max_length=cell["max_length"])
        words = coded.word_ids()
        first = [word is not None and word != before for before, word in zip([None, *words], words, strict=False)]
        labels = [places[row["tags"][word]] if it else IGNORED for it, word in zip(first, words, strict=True)]
        return {**coded, "labels": labels}

    train, test = (Dataset.from_list(its).map(encode) for its in (rows(cell["train"]), rows(cell["test"])))
    model = AutoModelForTokenClassification.from_pretrained(cell["checkpoint"], num_labels=len(names))
    model = adapted(model, cell, "TOKEN_CLS")
    collator = DataCollatorForTokenClassification(tokenizer)
    trainer = Trainer(model, TrainingArguments(**arguments(cell)), collator, train, test)
    trainer.train()
    found = trainer.predict(test)
    best = np.argmax(found.predictions, axis=-1)
    pairs = [
        [(names[gold], names[ours]) for gold, ours in zip(golds, its, strict=True) if gold != IGNORED]
        for golds, its in zip(found.label_ids, best, strict=True)
    ]
    return 100 * float(
        f1_score([[gold for gold, _ in its] for its in pairs], [[ours for _, ours in its] for its in pairs])
    )


def model_language(cell: dict[str, Any], tokenizer: Any) -> float:
    """Perplexity of windows."""

    def windows(row: dict[str, Any]) -> list[dict[str, Any]]:
        ids = [tokenizer.bos_token_id, *tokenizer(row["text"], add_special_tokens=False)["input_ids"]]
        ids.append(tokenizer.eos_token_id)
        size = cell["max_length"]
        return [{"input_ids": ids[begin : begin + size]} for begin in range(0, len(ids) - 1, size - 1)]

    train, test = (
        Dataset.from_list([window for row in rows(cell[part]) for window in windows(row)]) for part in ("train", "test")
    )
    model = adapted(AutoModelForCausalLM.from_pretrained(cell["checkpoint"]), cell, "CAUSAL_LM")
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    trainer = Trainer(model, TrainingArguments(**arguments(cell)), collator, train, test)
    trainer.train()
    return exp(trainer.evaluate()["eval_loss"])


def summarize(cell: dict[str, Any], tokenizer: Any) -> float:
    """ROUGE-1 of what is generated."""

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        coded = tokenizer(row["document"], truncation=True, max_length=cell["max_length"])
        labels = tokenizer(text_target=row["summary"], truncation=True, max_length=cell["target_length"])
        return {**coded, "labels": labels["input_ids"]}

    train, test = (Dataset.from_list(its).map(encode) for its in (rows(cell["train"]), rows(cell["test"])))
    model = adapted(AutoModelForSeq2SeqLM.from_pretrained(cell["checkpoint"]), cell, "SEQ_2_SEQ_LM")
    settings = Seq2SeqTrainingArguments(
        **arguments(cell),
        predict_with_generate=True,
        generation_max_length=cell["target_length"],
        generation_num_beams=cell["num_beams"],
    )
    trainer = Seq2SeqTrainer(model, settings, DataCollatorForSeq2Seq(tokenizer, model), train, test)
    trainer.train()
    found = trainer.predict(test).predictions
    texts = tokenizer.batch_decode(np.where(found == IGNORED, tokenizer.pad_token_id, found), skip_special_tokens=True)
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    scores = [
        scorer.score(row["summary"], text)["rouge1"].fmeasure
        for row, text in zip(rows(cell["test"]), texts, strict=True)
    ]
    return 100 * float(np.mean(scores))


KINDS = {"token-classification": tag_names, "causal-lm": model_language, "summarization": summarize}


def main() -> None:
    """Run the cell that is named."""
    cell = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(KINDS[cell["kind"]](cell, AutoTokenizer.from_pretrained(cell["checkpoint"])))


if __name__ == "__main__":
    main()
