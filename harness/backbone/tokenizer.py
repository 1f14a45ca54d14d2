"""A checkpoint's tokenizer, as its own files describe it, with words that begin as they do within a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoTokenizer

from harness.base.errors import bad, reason

PROBE = ["Anna", "lives", "in", "Rome", ",", "and", "in", "2024", "she", "moved", "."]
# Of tokenizer_config.json, what says how a normalizer differs from the one in tokenizer.json.
NORMALIZING = {"do_lower_case", "strip_accents", "tokenize_chinese_chars"}


def load_tokenizer(checkpoint: Path) -> Any:
    """The checkpoint's tokenizer, with a padding sign; words may begin a text without a space.

    Raises UserError where it cannot be read.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            checkpoint, local_files_only=True, trust_remote_code=False, add_prefix_space=True
        )
        if tokenizer.is_fast:
            _follow_file(tokenizer, checkpoint)
            _begin_with_space(tokenizer)
    except Exception as error:  # tokenizers raises a plain Exception, and Python tokenizers lack packages of their own
        mend = f"it cannot be read ({reason(error)}); {_mend(checkpoint, error)}"
        raise bad(checkpoint, "the tokenizer", None, mend) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.truncation_side = "right"  # what is cut is the end, whatever the checkpoint's own use was
    return tokenizer


def text_signs(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that stand before and after a text; start and end signs where there are none."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    if whole == plain:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return [start], [tokenizer.eos_token_id]
    place = whole.index(plain[0])
    return whole[:place], whole[place + len(plain) :]


def keeps_spaces(tokenizer: Any) -> bool:
    """Whether words given one by one are read as in a text, where a space is before each."""
    words = tokenizer(PROBE, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    text = tokenizer(" ".join(PROBE), add_special_tokens=False)["input_ids"]
    return bool(words == text)


def _follow_file(tokenizer: Any, checkpoint: Path) -> None:
    """Let a tokenizer split and join as tokenizer.json says.

    The classes of transformers build some of it anew, from the vocabulary alone: a normalizer, say, is lost. Only
    what splits a word otherwise each time (BPE dropout), which serves a model's own pretraining, is left out.
    """
    file = checkpoint / "tokenizer.json"
    if not file.is_file():
        return
    content = json.loads(file.read_text(encoding="utf-8"))
    content["model"].pop("dropout", None)
    here, own = tokenizer.backend_tokenizer, Tokenizer.from_str(json.dumps(content))
    here.model, here.pre_tokenizer, here.decoder = own.model, own.pre_tokenizer, own.decoder
    settings = checkpoint / "tokenizer_config.json"
    said = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    if not NORMALIZING & set(said):
        here.normalizer = own.normalizer
        for name in NORMALIZING:
            tokenizer.init_kwargs.pop(
                name, None
            )  # or a saved copy would say what its class takes where nothing is said


def _begin_with_space(tokenizer: Any) -> None:
    """Let a text begin as if a space were before it, where words given one by one would otherwise be read apart."""
    if keeps_spaces(tokenizer):
        return
    here = tokenizer.backend_tokenizer
    own = here.pre_tokenizer
    # Put before all that splits: where a text is split first, every part of a word would get a space of its own.
    space = pre_tokenizers.Metaspace(replacement=" ", prepend_scheme="always", split=False)
    here.pre_tokenizer = pre_tokenizers.Sequence([space, *([own] if own else [])])
    if not keeps_spaces(tokenizer):  # its tokens reach over spaces
        here.pre_tokenizer = own


def _mend(checkpoint: Path, error: Exception) -> str:
    import tokenizers

    if isinstance(error, ImportError):
        return "install what it asks for, or save the tokenizer as a tokenizer.json"
    if type(error) is Exception and (checkpoint / "tokenizer.json").is_file():
        version = tokenizers.__version__
        return f"update the package tokenizers, which is {version}, or save the tokenizer again with this version"
    return "save the model's tokenizer beside it again"
