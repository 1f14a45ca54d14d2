"""Checkpoints that a cell would stumble over are refused in one sentence before any; odd ones that serve are not."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from harness.adapt.trial import Use, try_checkpoint
from harness.backbone.fit import check_known
from harness.backbone.tokenizer import load_tokenizer
from harness.base.errors import UserError
from harness.cli.main import main
from harness.contracts.plan import BackboneJob
from harness.plan import jobs
from harness.plan.entry import make_plan, recheck
from tests import odd
from tests.contract.cells import task_of
from tests.models import tokenizer_for
from tests.project import copy_project

KINDS: dict[str, Any] = {
    "bert": "token-classification", "roberta": "token-classification", "gpt2": "causal-lm", "bart": "summarization",
}  # fmt: skip
Spoil = Callable[[Path], Any]
Folder = Callable[[str], Path]
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)


class Odd(NamedTuple):
    """A change of a tiny checkpoint, and parts of the sentence that refuses it."""

    name: str
    architecture: str
    spoil: Spoil
    told: tuple[str, ...]
    pretrains: bool = False


def added(**signs: str) -> Spoil:
    """Add signs to the tokenizer, and no rows to the model."""

    def spoil(folder: Path) -> None:
        tokenizer = copy.deepcopy(tokenizer_for(folder.name))
        tokenizer.add_special_tokens(signs)
        tokenizer.save_pretrained(folder)

    return spoil


def unnamed(*signs: str) -> Spoil:
    """Let the tokenizer have none of these signs."""

    def spoil(folder: Path) -> None:
        file = folder / "tokenizer_config.json"
        settings = {name: value for name, value in json.loads(file.read_text()).items() if name not in signs}
        file.write_text(json.dumps(settings))

    return spoil


def tokenizer_json(make: Callable[[], Tokenizer], **settings: Any) -> Spoil:
    """Another tokenizer.json."""

    def spoil(folder: Path) -> None:
        names = odd.NAMES | {"tokenizer_class": "PreTrainedTokenizerFast"} | settings
        odd.tokenizer_files(folder, {"tokenizer.json": make().to_str()}, **names)

    return spoil


def over_spaces() -> Tokenizer:
    """A tokenizer whose tokens reach from word to word."""
    return odd.byte_level(pre_tokenizers.Metaspace(replacement=" ", prepend_scheme="never", split=False))


def without_letters() -> Tokenizer:
    """A tokenizer that reads nothing of a text in Latin letters."""
    words = {sign: place for place, sign in enumerate([*odd.SIGNS, "あ", "い"])}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def newer(folder: Path) -> None:
    """A tokenizer.json of a later format than the installed package reads."""
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["type"] = "AModelOfTomorrow"
    file.write_text(json.dumps(content))


def merges(share: float) -> Spoil:
    """A vocabulary and the first part of its merges, as files."""

    def spoil(folder: Path) -> None:
        odd.no_tokenizer(folder)
        tokenizer = odd.byte_level(BYTES)
        tokenizer.model.save(str(folder))
        lines = (folder / "merges.txt").read_text().splitlines(keepends=True)
        (folder / "merges.txt").write_text("".join(lines[: round(share * len(lines))]))
        (folder / "tokenizer_config.json").write_text(json.dumps(odd.NAMES))

    return spoil


def word_pieces(cut: int | None = None, **settings: Any) -> Spoil:
    """A vocabulary of word pieces, the first `cut` bytes of it."""
    return lambda folder: odd.tokenizer_files(folder, {"vocab.txt": odd.VOCABULARY[:cut]}, **settings)


def tensor(name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> Spoil:
    """Change a weight, or lose it."""

    def changed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        assert name in tensors
        both = {its: change(value) if its == name else value for its, value in tensors.items()}
        return {its: value for its, value in both.items() if value is not None}

    return lambda folder: odd.weights(folder, changed)


def as_pickle(content: Any) -> Spoil:
    """Another thing in pytorch_model.bin than tensors by their names."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save(content, folder / "pytorch_model.bin")

    return spoil


PHRASES = {"vocab.txt": "".join(f"{letter} 9\n{letter}@@ 5\n" for letter in odd.LETTERS), "bpe.codes": "a b 9\n"}
JAPANESE = {"tokenizer_class": "BertJapaneseTokenizer", "subword_tokenizer_type": "character"}
SPACE = "bert.encoder.layer.1.attention.self.query"
FAULTS = [
    Odd("a vocabulary of signs", "bert", lambda folder: odd.tokenizer_files(folder, {"vocab.txt": "[PAD]\n[UNK]\n"}),
        ("the number of the tokenizer's tokens is", "signs alone")),
    Odd("padding without a row", "gpt2", added(pad_token="[PAD]"), ("'[PAD]' is 400", "rows for 0 to 399")),
    Odd("mask without a row", "bart", added(mask_token="[M]"), ("'[M]' is 400", "rows for 0 to 399"), pretrains=True),
    Odd("no end sign", "gpt2", word_pieces(tokenizer_class="BertTokenizer"), ("eos_token is None", "name one")),
    Odd("no padding", "bert", unnamed("pad_token", "eos_token"), ("pad_token is None", "name one of its tokens")),
    Odd("no mask", "bert", unnamed("mask_token"), ("mask_token is None", "continued pretraining"), pretrains=True),
    Odd("other padding than RoBERTa's", "roberta", lambda folder: odd.config(folder, pad_token_id=3),
        ("pad_token_id is 1", "config.json has 3")),
    Odd("other end than BART's", "bart", lambda folder: odd.config(folder, eos_token_id=5),
        ("eos_token_id is 2", "config.json has 5")),
    Odd("summaries without an end", "bart", tokenizer_json(lambda: odd.byte_level(BYTES)),
        ("eos_token is '</s>'", "a summary would never end")),
    Odd("Python alone", "bert", lambda folder: odd.tokenizer_files(
        folder, {"vocab.txt": odd.VOCABULARY}, word_tokenizer_type="basic", **JAPANESE),
        ("is 'BertJapaneseTokenizer'", "save it as a tokenizer.json")),
    Odd("Python alone, of phrases", "roberta", lambda folder: odd.tokenizer_files(
        folder, PHRASES, tokenizer_class="PhobertTokenizer"), ("is 'PhobertTokenizer'", "save it as a tokenizer.json")),
    Odd("a package missing", "bert", lambda folder: odd.tokenizer_files(
        folder, {"vocab.txt": odd.VOCABULARY}, word_tokenizer_type="mecab", **JAPANESE),
        ("the tokenizer is None", "Error", "install what it asks for")),
    Odd("of a later version", "bert", newer, ("the tokenizer is None", "update the package tokenizers")),
    Odd("words run together", "bert", tokenizer_json(over_spaces), ("the tokenizer is", "one by one otherwise")),
    Odd("nothing of Latin letters", "bert", tokenizer_json(without_letters), ("reads the text 'a' as nothing",),
        pretrains=True),
    Odd("cut merges", "gpt2", merges(0.5), ("merges.txt: the number of merges is", "it is cut")),
    Odd("cut vocabulary", "bert", word_pieces(-2), ("vocab.txt: the last line is '##'", "so the file is cut")),
    Odd("a lost weight", "bert", tensor(f"{SPACE}.weight", lambda _: None),
        ("a missing weight of the model's body", f"{SPACE}.weight")),
    Odd("a weight of another shape", "bert", tensor(f"{SPACE}.bias", lambda value: value[:8]),
        (f"the shape of the weight {SPACE}.bias is [8]", "config.json asks for [32]")),
    Odd("fewer layers than weights", "gpt2", lambda folder: odd.config(folder, n_layer=1),
        ("a weight is 'transformer.h.1.", "gives the model 1 layers")),
    Odd("not a number", "gpt2", tensor("transformer.h.0.mlp.c_fc.bias", lambda value: value / 0),
        ("the weight transformer.h.0.mlp.c_fc.bias is 'NaN or infinity'", "fetch the checkpoint again")),
    Odd("not tensors", "bert", as_pickle({"weights": Path("a")}), ("the model is 'bert'", "cannot be loaded")),
    Odd("heads that do not divide", "bert", lambda folder: odd.config(folder, num_attention_heads=5),
        ("the model is 'bert'", "32", "mend its config.json")),
    Odd("labels that are no mapping", "bert", lambda folder: odd.config(folder, id2label=["A"]),
        ("the model is 'bert'", "mend its config.json")),
    Odd("eight bits", "bert", lambda folder: odd.weights(
        folder, lambda tensors: {name: value.to(torch.int8) for name, value in tensors.items()}),
        ("model.safetensors: the type of the weight", "'I8'", "before its quantization")),
]  # fmt: skip


def use(architecture: str, pretrains: bool = False, max_length: int = 48) -> Use:
    return Use(task_of(KINDS[architecture])[0], max_length, 8, pretrains)


def spoiled(tmp_path: Path, architecture: str, checkpoint_folder: Folder, spoil: Spoil) -> Path:
    folder = tmp_path / architecture
    shutil.copytree(checkpoint_folder(architecture), folder)
    spoil(folder)
    return folder


@pytest.mark.parametrize("it", FAULTS, ids=lambda it: it.name)
def test_refused(it: Odd, checkpoint_folder: Folder, tmp_path: Path) -> None:
    folder = spoiled(tmp_path, it.architecture, checkpoint_folder, it.spoil)
    with pytest.raises(UserError) as refused:
        try_checkpoint(folder, use(it.architecture, it.pretrains))
    told = str(refused.value)
    assert told.startswith(str(folder))
    assert "\n" not in told
    for part in it.told:
        assert part in told


def sharded(folder: Path) -> None:
    """Weights in two pickles and an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    place = {name: f"pytorch_model-0000{1 + number % 2}-of-00002.bin" for number, name in enumerate(sorted(tensors))}
    for file in set(place.values()):
        torch.save({name: value for name, value in tensors.items() if place[name] == file}, folder / file)
    index = {"metadata": {}, "weight_map": place}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def in_a_pickle(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")


def with_old_names(folder: Path) -> None:
    """LayerNorm's gain and bias as the first BERT checkpoints call them."""
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def renamed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name.replace(new, old[new]): value for name, value in tensors.items() for new in old if new in name} | {
            name: value for name, value in tensors.items() if "LayerNorm" not in name
        }

    odd.weights(folder, renamed)


def with_tuples(folder: Path) -> None:
    """A model that was last used without names for what it gives."""
    odd.config(folder, return_dict=False)


@pytest.mark.parametrize("spoil", [sharded, in_a_pickle, with_old_names, with_tuples], ids=lambda spoil: spoil.__name__)
def test_the_same_weights_in_other_files_are_the_same(spoil: Spoil, checkpoint_folder: Folder, tmp_path: Path) -> None:
    from harness.backbone.load import Checkpoint

    folder = spoiled(tmp_path, "bert", checkpoint_folder, spoil)
    try_checkpoint(folder, use("bert", pretrains=True))
    found, wanted = (
        dict(Checkpoint(it, "token-classification", ["O", "B-X"]).model.named_parameters())
        for it in (folder, checkpoint_folder("bert"))
    )
    for name, value in wanted.items():
        assert name.startswith("classifier") or torch.equal(found[name], value)


def test_a_list_of_word_pieces_serves(checkpoint_folder: Folder, tmp_path: Path) -> None:
    lines = try_checkpoint(spoiled(tmp_path, "bert", checkpoint_folder, word_pieces()), use("bert", pretrains=True))
    assert "reads [CLS] a ##n ##n ##a l" in lines[0]


def test_a_mask_that_nothing_needs_may_lack_a_row(checkpoint_folder: Folder, tmp_path: Path) -> None:
    """As in a well-known checkpoint for summaries, which has a row less than its tokenizer's mask asks for."""
    folder = spoiled(tmp_path, "bart", checkpoint_folder, added(mask_token="[M]"))
    assert try_checkpoint(folder, use("bart"))


def test_what_is_drawn_is_told(checkpoint_folder: Folder, tmp_path: Path) -> None:
    folder = spoiled(tmp_path, "bert", checkpoint_folder, lambda folder: odd.bared(folder, "bert"))
    _, head, pretraining = try_checkpoint(folder, use("bert", pretrains=True))
    assert head == "new, from each cell's seed: classifier.bias, classifier.weight"
    assert pretraining.startswith("new, from each seed, where it is pretrained further: cls.predictions.bias, ")


def test_texts_longer_than_the_checkpoint_reads(checkpoint_folder: Folder) -> None:
    with pytest.raises(UserError, match=r"tokens that it reads is 64; 65 are asked for"):
        try_checkpoint(checkpoint_folder("roberta"), use("roberta", max_length=65))
    assert try_checkpoint(checkpoint_folder("roberta"), use("roberta", max_length=64))


def test_a_tokenizer_that_knows_few_words_of_a_task(checkpoint_folder: Folder, tmp_path: Path) -> None:
    folder = spoiled(tmp_path, "bert", checkpoint_folder, word_pieces())
    tokenizer = load_tokenizer(folder)
    check_known(folder, tokenizer, ["anna lives in rome .", "東 京"], "wikiann")
    with pytest.raises(UserError, match=r"knows in the text of wikiann is '1 of 3'; take the tokenizer"):
        check_known(folder, tokenizer, ["東 京 a"], "wikiann")
    with pytest.raises(UserError, match="is '0 of 0'"):
        check_known(folder, tokenizer, [""], "wikiann")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_folder: Folder) -> Path:
    """A small project that runs DAPT on the local checkpoint `bert`."""
    copy_project(tmp_path)
    shutil.copytree(checkpoint_folder("bert"), tmp_path / "bert")
    run = {"backbone": "mine", "budgets": [4], "domains": {"en": "meta_train", "nl": "meta_test"}, "max_length": 48}
    content = {
        "output": "out", "seeds": [0], "methods": ["dapt", "majority"], "tasks": {"wikiann": run},
        "backbones": {"mine": {"source": "local", "path": "bert"}},
    }  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_tells_what_is_read_and_drawn(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd.bared(project / "bert", "bert")
    assert main(["check", "--configfile", "run.yaml"]) == 0
    told = capsys.readouterr().out
    assert "backbone mine: bert, reads <s> ĠA" in told
    assert "backbone mine: new, from each cell's seed: classifier.bias" in told
    assert "where it is pretrained further: cls.predictions" in told


def test_check_and_the_start_of_a_run_refuse_alike(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    added(pad_token="[PAD]")(project / "bert")
    words = ["--configfile", "run.yaml"]
    found = []
    for command in (["check", *words], ["run", *words, "--task", "wikiann", "--method", "dapt"]):
        assert main(command) == 2
        found.append(capsys.readouterr().err.strip().splitlines()[-1])
    assert found[0] == found[1]
    assert "bert: the id of the tokenizer's token '[PAD]' is 400" in found[0]
    assert not (project / "out" / "backbones").exists()


def test_check_sees_that_a_tokenizer_does_not_know_the_task(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kana = [chr(place) for place in range(0x3041, 0x3090)]
    content = "\n".join([*odd.WORD_PIECES[:5], *kana]) + "\n"
    odd.tokenizer_files(project / "bert", {"vocab.txt": content})
    assert main(["check", "--configfile", "run.yaml"]) == 2
    assert "tokens that the tokenizer knows in the text of wikiann is '" in capsys.readouterr().err


def test_a_fetched_checkpoint_is_tried_once_and_before_its_cells(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"source": "hub", "id": "a/b", "revision": "0" * 40}
    plan = make_plan("run.yaml", {"backbones": {"mine": spec}})
    recheck(plan)  # nothing is here yet
    job = plan.backbone("mine")

    def fetch(_: Any, job: BackboneJob) -> None:
        shutil.copytree(project / "bert", job.folder)
        added(pad_token="[PAD]")(project / "bert")
        shutil.copy(project / "bert" / "tokenizer.json", job.folder)
        shutil.copy(project / "bert" / "tokenizer_config.json", job.folder)

    monkeypatch.setattr(jobs, "_fetch", fetch)
    with pytest.raises(UserError, match=r"token '\[PAD\]' is 400"):
        jobs.build_backbone(plan, job)
    assert not Path(job.done).exists()


def test_what_a_control_needs_no_checkpoint_for_is_not_tried(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> NoReturn:
        raise AssertionError("it was read")

    monkeypatch.setattr("harness.adapt.trial.try_checkpoint", never)
    recheck(make_plan("run.yaml", {"methods": ["majority"]}))
    with pytest.raises(AssertionError):
        recheck(make_plan("run.yaml"))
