"""Whether a checkpoint's tokenizer, model and architecture fit each other and what a task asks of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from harness.backbone.anatomy import Paths, anatomies, described_in
from harness.backbone.backbone import first_of
from harness.backbone.tokenizer import keeps_spaces
from harness.base.errors import bad
from harness.contracts.method import Kind

LOST = 0.01  # of a vocabulary, what no merge makes; RoBERTa's has three such words
OWN = "take the tokenizer that the model was trained with"


def check_anatomy(model: PreTrainedModel) -> None:
    """Raise UserError where the entry of a model's architecture names a field or a module that the model lacks."""
    name, body = model.config.model_type, model.base_model
    anatomy, file = anatomies()[name], described_in(name)
    for field in ("width", "heads", "key_heads", "positions"):
        value = getattr(anatomy, field)
        if value is not None and not hasattr(model.config, value):
            raise bad(file, f"{name}.{field}", value, "its config.json has no such field; name one that it has")
    for stack, paths in anatomy.stacks.items():
        where = f"{name}.stacks.{stack}"
        layers = first_of(body, paths.layers)
        if layers is None or not list(layers.children()):
            raise bad(file, f"{where}.layers", paths.layers, _mend(body, paths.layers))
        layer = next(layers.children())
        needed = {f"attention.{which}.{part}": path for which, its in paths.attention.items() for part, path in its}
        for part, path in {**needed, "ffn.up": paths.ffn.up, "ffn.down": paths.ffn.down}.items():
            if first_of(layer, path) is None:
                raise bad(file, f"{where}.{part}", path, _mend(layer, path))


def _mend(parent: nn.Module, path: Paths) -> str:
    """The nearest paths that there are."""
    wanted = path if isinstance(path, str) else path[0]
    close = get_close_matches(wanted, [name for name, _ in parent.named_modules()], 3, 0.0)
    return f"the model has no module there; the nearest are {', '.join(close)}"


def check_fit(checkpoint: Path, tokenizer: Any, model: PreTrainedModel, kind: Kind) -> None:
    """Raise UserError where a tokenizer does not fit the model, or lacks what a kind of task needs."""
    _check_vocabulary(checkpoint, tokenizer)
    _check_whole(checkpoint, tokenizer, model.get_input_embeddings().weight.shape[0])
    check_ids(checkpoint, tokenizer, model, without=[tokenizer.mask_token])
    for sign in anatomies()[model.config.model_type].signs:
        wanted, given = getattr(model.config, sign), getattr(tokenizer, sign)
        if given != wanted:
            raise bad(checkpoint, f"the tokenizer's {sign}", given, f"the model's config.json has {wanted}; {OWN}")
    if tokenizer.pad_token_id is None:
        mend = "it has no eos_token either; name one of its tokens as pad_token in tokenizer_config.json"
        raise bad(checkpoint, "the tokenizer's pad_token", None, mend)
    CHECKS[kind](checkpoint, tokenizer)


def check_ids(checkpoint: Path, tokenizer: Any, model: PreTrainedModel, without: Iterable[str | None] = ()) -> None:
    """Raise UserError where a token, those `without` aside, has no row among the model's embeddings."""
    rows = model.get_input_embeddings().weight.shape[0]
    left_out = set(without)
    beyond = [(place, token) for token, place in tokenizer.get_vocab().items() if place >= rows]
    for place, token in sorted(beyond):
        if token not in left_out:
            mend = (
                f"the model has rows for 0 to {rows - 1}; name a token that it has in tokenizer_config.json, or {OWN}"
            )
            raise bad(checkpoint, f"the id of the tokenizer's token {token!r}", place, mend)


def check_known(checkpoint: Path, tokenizer: Any, texts: list[str], whose: str) -> None:
    """Raise UserError where a tokenizer does not know most of what it reads in `texts`."""
    ids = [token for text in texts for token in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
    known = sum(token != tokenizer.unk_token_id for token in ids)
    if texts and known <= len(ids) / 2:
        share = f"{known} of {len(ids)}"
        raise bad(checkpoint, f"the number of tokens that the tokenizer knows in the text of {whose}", share, OWN)


def _check_vocabulary(checkpoint: Path, tokenizer: Any) -> None:
    """A tokenizer that found no files, or empty ones, has nothing but its signs."""
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise bad(checkpoint, "the number of the tokenizer's tokens", len(tokenizer), f"they are signs alone; {OWN}")


def _check_whole(checkpoint: Path, tokenizer: Any, rows: int) -> None:
    """Files of lines that were cut; where there is a tokenizer.json it is read instead of them, and shows it itself."""
    words, merges = checkpoint / "vocab.txt", checkpoint / "merges.txt"
    if (checkpoint / "tokenizer.json").is_file():
        return
    if words.is_file() and len(tokenizer) < rows:
        last = words.read_bytes().splitlines(keepends=True)[-1:]
        if last and not last[0].endswith(b"\n"):
            mend = f"it does not end, and the model knows {rows} tokens, so the file is cut; fetch it again, or end it"
            raise bad(words, "the last line", last[0].decode(errors="replace"), mend)
    if merges.is_file():
        made = {"".join(line.split()) for line in merges.read_text(encoding="utf-8").splitlines()}
        ordinary = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
        lost = [token for token in ordinary if len(token) > 1 and token not in made]
        if len(lost) > LOST * len(ordinary):
            mend = f"{len(lost)} tokens of the vocabulary are not made by its merges, so it is cut; fetch it again"
            raise bad(merges, "the number of merges", len(made), mend)


def _check_tagging(checkpoint: Path, tokenizer: Any) -> None:
    """Tags stand at words, so tokens must be traced to words, and words be read as in a text."""
    if not tokenizer.is_fast:
        mend = "it is one in Python alone, which cannot say of what word a token is; save it as a tokenizer.json"
        raise bad(checkpoint, "the tokenizer", type(tokenizer).__name__, mend)
    if not keeps_spaces(tokenizer):
        mend = f"it reads words one by one otherwise than in a text; {OWN}, or one that splits at spaces"
        raise bad(checkpoint, "the tokenizer", type(tokenizer).__name__, mend)


def _check_documents(checkpoint: Path, tokenizer: Any) -> None:
    """A document ends with a sign, and begins with one, which may be the same."""
    if tokenizer.eos_token_id is None:
        mend = "a document ends with it; name one of the tokens as eos_token in tokenizer_config.json"
        raise bad(checkpoint, "the tokenizer's eos_token", None, f"{mend}, or {OWN}")


def _check_summaries(checkpoint: Path, tokenizer: Any) -> None:
    """A summary ends with a sign, or the model never learns where to stop; that of its language may follow."""
    plain = tokenizer(text_target="a", add_special_tokens=False)["input_ids"]
    whole = tokenizer(text_target="a")["input_ids"]
    after = whole[whole.index(plain[-1]) + 1 :] if plain else whole
    if tokenizer.eos_token_id is None or tokenizer.eos_token_id not in after:
        mend = f"it does not put it after a text, so that a summary would never end; {OWN}"
        raise bad(checkpoint, "the tokenizer's eos_token", tokenizer.eos_token, mend)


def _check_pairs(checkpoint: Path, tokenizer: Any) -> None:
    """Where signs stand around a text they stand around two: a model reads its answer at one of them."""
    one, two = tokenizer("a")["input_ids"], tokenizer("a", "a")["input_ids"]
    signs = set(one) & set(tokenizer.all_special_ids)
    if not signs <= set(two):
        mend = (
            f"it puts signs around one text and none around two; give its tokenizer.json a template of pairs, or {OWN}"
        )
        raise bad(checkpoint, "the tokenizer's signs of two texts", tokenizer.convert_ids_to_tokens(two), mend)


CHECKS: dict[Kind, Callable[[Path, Any], None]] = {
    "token-classification": _check_tagging,
    "sequence-classification": _check_pairs,
    "causal-lm": _check_documents,
    "summarization": _check_summaries,
}
