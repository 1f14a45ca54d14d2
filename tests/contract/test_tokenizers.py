"""A checkpoint's tokenizer reads words as its own file does within a text, whatever class it is said to be of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from harness.backbone.tokenizer import load_tokenizer
from tests import odd
from tests.models import sentences

WORDS = ["the", "Cat2", "sat", ",", "in", "2024", "the", "end", "."]
ByteLevel, Sequence = pre_tokenizers.ByteLevel, pre_tokenizers.Sequence


def pieces(scheme: str) -> Tokenizer:
    """A unigram tokenizer that marks spaces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=odd.SIGNS, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(sentences(), trainer)
    return tokenizer


SPLIT = pre_tokenizers.Split(Regex(r"\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"), "isolated")
KINDS = {
    "byte level": lambda: odd.byte_level(ByteLevel(add_prefix_space=False)),
    "byte level, with a space": lambda: odd.byte_level(ByteLevel(add_prefix_space=True)),
    "digits first": lambda: odd.byte_level(
        Sequence([pre_tokenizers.Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    ),
    "split first": lambda: odd.byte_level(Sequence([SPLIT, ByteLevel(add_prefix_space=False, use_regex=False)])),
    "lowered": lambda: odd.byte_level(ByteLevel(add_prefix_space=False), normalizers.Lowercase()),
    "marked spaces": lambda: pieces("first"),
    "marked spaces but the first": lambda: pieces("never"),
}


def written(folder: Path, kind: str, architecture: str, tokenizer_class: str | None) -> Tokenizer:
    """A tokenizer of a kind in a checkpoint directory, as many on the hub stand there."""
    tokenizer: Tokenizer = KINDS[kind]()
    (folder / "config.json").write_text(json.dumps({"model_type": architecture}))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = (
        odd.NAMES | {"add_prefix_space": False} | ({"tokenizer_class": tokenizer_class} if tokenizer_class else {})
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer


def split(tokenizer: Any) -> list[str]:
    ids = tokenizer(WORDS, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    return list(tokenizer.convert_ids_to_tokens(ids))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("architecture", "tokenizer_class"),
    [
        ("gpt2", "GPT2Tokenizer"),
        ("roberta", "RobertaTokenizerFast"),
        ("bert", "PreTrainedTokenizerFast"),
        ("bert", None),
        ("gpt2", None),
        ("llama", "LlamaTokenizerFast"),
    ],
)
def test_words_are_read_as_in_a_text(kind: str, architecture: str, tokenizer_class: str | None, tmp_path: Path) -> None:
    own = written(tmp_path, kind, architecture, tokenizer_class)
    tokenizer = load_tokenizer(tmp_path)
    wanted = own.encode(" " + " ".join(WORDS), add_special_tokens=False).tokens
    assert len(wanted) > len(WORDS)
    assert split(tokenizer) == wanted
    text = tokenizer(" ".join(WORDS), add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(text) == wanted
    (tmp_path / "again").mkdir()
    tokenizer.save_pretrained(tmp_path / "again")
    (tmp_path / "again" / "config.json").write_bytes((tmp_path / "config.json").read_bytes())
    assert split(load_tokenizer(tmp_path / "again")) == wanted


@pytest.mark.parametrize("tokenizer_class", ["LlamaTokenizer", "PreTrainedTokenizerFast", None])
def test_words_of_a_tokenizer_that_splits_nothing_first(tokenizer_class: str | None, tmp_path: Path) -> None:
    """As LLaMA's first ones: its normalizer writes spaces as signs, and puts one before the text."""
    own = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    own.pre_tokenizer = pre_tokenizers.Metaspace(
        prepend_scheme="never"
    )  # to train it, or tokens would reach over spaces
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=odd.SIGNS, show_progress=False)
    own.train_from_iterator([f"{line} {' '.join(WORDS)}" for line in sentences()], trainer)
    content = json.loads(own.to_str()) | {"pre_tokenizer": None}
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    settings = odd.NAMES | ({"tokenizer_class": tokenizer_class} if tokenizer_class else {})
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    wanted = Tokenizer.from_str(json.dumps(content)).encode(" ".join(WORDS), add_special_tokens=False).tokens
    assert "▁the" in wanted
    assert split(load_tokenizer(tmp_path)) == wanted


@pytest.mark.parametrize("architecture", ["gpt2", "roberta"])
def test_a_vocabulary_and_merges_are_enough(architecture: str, tmp_path: Path) -> None:
    own = written(tmp_path, "byte level", architecture, None)
    (tmp_path / "tokenizer.json").unlink()
    own.model.save(str(tmp_path))
    assert split(load_tokenizer(tmp_path)) == own.encode(" " + " ".join(WORDS), add_special_tokens=False).tokens


def test_a_list_of_word_pieces_is_enough(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "vocab.txt").write_text(odd.VOCABULARY)
    tokenizer = load_tokenizer(tmp_path)
    assert split(tokenizer)[:5] == ["t", "##h", "##e", "c", "##a"]
    assert tokenizer("a")["input_ids"] == [tokenizer.cls_token_id, tokenizer.vocab["a"], tokenizer.sep_token_id]


def test_what_the_settings_say_of_letters_stands(tmp_path: Path) -> None:
    """`do_lower_case` of tokenizer_config.json has always been above the normalizer of tokenizer.json."""
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    tokenizer = Tokenizer(models.WordPiece({token: place for place, token in enumerate(odd.WORD_PIECES)}))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for settings, first in (({"do_lower_case": True}, "c"), ({"do_lower_case": False}, "[UNK]"), ({}, "[UNK]")):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **settings}))
        ids = load_tokenizer(tmp_path)("Cat", add_special_tokens=False)["input_ids"]
        assert load_tokenizer(tmp_path).convert_ids_to_tokens(ids)[0] == first


def test_a_word_is_read_alike_each_time(tmp_path: Path) -> None:
    own = written(tmp_path, "byte level", "gpt2", None)
    wanted = own.encode(" " + " ".join(WORDS), add_special_tokens=False).tokens
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["dropout"] = 0.9
    file.write_text(json.dumps(content))
    assert split(load_tokenizer(tmp_path)) == wanted


def test_what_is_cut_is_the_end(tmp_path: Path) -> None:
    written(tmp_path, "byte level", "gpt2", None)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"truncation_side": "left"}))
    tokenizer = load_tokenizer(tmp_path)
    ids = tokenizer(WORDS, is_split_into_words=True, truncation=True, max_length=3)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == split(tokenizer)[:3]


def test_padding_is_the_end_sign_where_there_is_none(tmp_path: Path) -> None:
    written(tmp_path, "byte level", "gpt2", None)
    file = tmp_path / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    del settings["pad_token"]
    file.write_text(json.dumps(settings))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == odd.SIGNS.index("</s>")
