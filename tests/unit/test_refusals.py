"""Every mistake is refused in one sentence, before any compute, by `headstart check` and by a Snakemake run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from harness.base.errors import UserError, bad
from harness.cli.main import main
from harness.plan import entry
from tests import project as use
from tests.project import CONFIG, Spoil
from tests.unit.mistakes import CHECKPOINTS, Bad

METHOD = "methods/lora/method.yaml"
TUNED = "methods/lora/tuned.yaml"
REST = "source: a, backbone: b, identity: c, domains: [], budgets: [1], seeds: 1, trials: {}"
TASK = "tasks/wikiann/task.yaml"


def matched_multitask(old: str, new: str) -> Spoil:
    spoil = use.edit("methods/multitask_adapter/method.yaml", old, new)
    return use.both(use.config(methods=["multitask_adapter"]), spoil)


def tuned(body: str) -> Spoil:
    return use.text(TUNED, body)


def pretrained(architecture: str = "bert", **changes: object) -> Spoil:
    return use.config(backbones={"encoder": use.backbone(architecture, "wikiann", **changes)})


def own_architecture(old: str, new: str) -> Spoil:
    """A description of an architecture in the project's own folder, with a mistake."""
    stacks = "{decoder: {layers: e, attention: {}, ffn: {up: f, down: g}}}"
    entry = f"{{kinds: [causal-lm], width: a, heads: b, depth: [c], inner: [d], stacks: {stacks}, objective: causal}}"
    assert old in entry
    return use.text("anatomy.yaml", f"phi: {entry.replace(old, new)}\n")


def local(file: str, content: str | bytes) -> Spoil:
    return use.both(use.ner_data, use.text(f"data/wikiann/{file}", content))


def paired(file: str, content: str | bytes) -> Spoil:
    return use.both(use.pair_data, use.text(f"data/summarization/{file}", content))


def twin(folder: Path) -> None:
    """Domain `nl` reads a copy of domain `en`."""
    use.ner_data(folder)
    for file in (folder / "data" / "wikiann" / "en").iterdir():
        (folder / "data" / "wikiann" / "nl" / file.name).write_bytes(file.read_bytes())


def shared_example(folder: Path) -> None:
    """A test sentence of `nl` is a training sentence of `en`."""
    use.ner_data(folder)
    with open(folder / "data" / "wikiann" / "nl" / "test", "a") as file:
        file.write("\nnl:word\tO\nnl:entrain0\tB-PER\n")


CONFIGS = [
    Bad("unknown key", use.config(seedz=[1]), CONFIG, "'seedz'", "[1]", "did you mean 'seeds'"),
    Bad("missing key", use.text(CONFIG, "output: out\n"), CONFIG, "seeds", "None", "add it"),
    Bad("wrong type", use.config(seeds="three"), CONFIG, "seeds", "'three'", "list"),
    Bad("wrong type inside", use.config(seeds=[0, "x"]), CONFIG, "seeds.1", "'x'", "integer"),
    Bad("truth for a number", use.config(seeds=[True]), CONFIG, "seeds.0", "True", "write a number"),
    Bad("infinite", pretrained(lr=float("inf")), CONFIG, "backbones.encoder.lr", "inf", "finite"),
    Bad("negative seed", use.config(seeds=[-1]), CONFIG, "seeds.0", "-1", "greater than or equal to 0"),
    Bad("no seed", use.config(seeds=[]), CONFIG, "seeds", "[]", "at least 1"),
    Bad("seed twice", use.config(seeds=[1, 1]), CONFIG, "seeds", "[1, 1]", "remove one"),
    Bad("budget zero", use.wikiann(budgets=[0]), CONFIG, "tasks.wikiann.budgets.0", "0", "greater than or equal to 1"),
    Bad("budget twice", use.wikiann(budgets=[4, 4]), CONFIG, "tasks.wikiann.budgets", "[4, 4]", "remove one"),
    Bad("budget too large", use.wikiann(budgets=[4001]), CONFIG, "tasks.wikiann.budgets", "4001", "at most"),
    Bad("unknown task", use.config(tasks={"wikian": {}}), CONFIG, "tasks", "'wikian'", "did you mean 'wikiann'"),
    Bad("unknown method", use.config(methods=["lorra"]), CONFIG, "methods", "'lorra'", "did you mean 'lora'"),
    Bad("method twice", use.config(methods=["lora", "lora"]), CONFIG, "methods", "'lora'", "remove one"),
    Bad("task's method", use.wikiann(methods=["x"]), CONFIG, "tasks.wikiann.methods", "'x'", "use one of"),
    Bad("unknown backbone", use.wikiann(backbone="enc"), CONFIG, "tasks.wikiann.backbone", "'enc'", "'encoder'"),
    Bad("unknown domain", use.wikiann(domains={"xx": "meta_test"}), CONFIG, "tasks.wikiann.domains", "'xx'", "use one"),
    Bad("unknown role", use.wikiann(domains={"nl": "test"}), CONFIG, "domains.nl", "'test'", "'meta_test'"),
    Bad("no target", use.wikiann(domains={"nl": "meta_dev"}), CONFIG, "domains", "{'nl': 'meta_dev'}", "meta_test"),
    Bad("unknown source", use.wikiann(source="web"), CONFIG, "tasks.wikiann.source", "'web'", "'embedded'"),
    Bad("unknown corpus", pretrained(corpora={"x": []}), CONFIG, "backbones.encoder.corpora", "'x'", "use one of"),
    Bad("nothing to read", pretrained(corpora={}), CONFIG, "backbones.encoder.corpora", "{}", "`texts` no folder"),
    Bad("no folder of text", pretrained(texts=["prose"]), CONFIG, "backbones.encoder.texts.0", "'prose'", "no such"),
    Bad("no text in it", pretrained(texts=["tasks"]), CONFIG, "backbones.encoder.texts.0", "'tasks'", "no .txt file"),
    Bad("a line of text", use.both(use.text("prose/a.txt", "One.\n\nTwo.\n"), pretrained(texts=["prose"])),
        "prose/a.txt: line 2", "the document", "''", "write one document a line"),
    Bad("text's variable", pretrained(texts=["$nowhere/prose"]),
        CONFIG, "backbones.encoder.texts.0", "'$nowhere/prose'", "nowhere is not set"),
    Bad("backbone key", pretrained(layer=3), CONFIG, "backbones.encoder.layer", "3", "did you mean 'layers'"),
    Bad("architecture", pretrained(architecture="brt"), CONFIG, "backbones.encoder.architecture", "'brt'", "'bert'"),
    Bad("own architecture", own_architecture("width:", "widht:"), "anatomy.yaml", "phi.widht", "'a'", "'width'"),
    Bad("own objective", own_architecture("causal}", "causl}"), "anatomy.yaml", "phi.objective", "'causl'", "'causal'"),
    Bad("backbone kind", pretrained(source="web"), CONFIG, "backbones.encoder", "'web'", "'pretrain', 'local', 'hub'"),
    Bad("heads", pretrained(heads=3), CONFIG, "backbones.encoder.heads", "3", "divides the width 16"),
    Bad("unpinned backbone", use.config(backbones={"encoder": {"source": "hub", "id": "a/b", "revision": "main"}}),
        CONFIG, "backbones.encoder.revision", "'main'", "40 digits of a commit"),
    Bad("train key", use.wikiann(train={"step": 3}), CONFIG, "tasks.wikiann.train.step", "3", "did you mean 'steps'"),
    Bad("train type", use.wikiann(train={"lr": "fast"}), CONFIG, "tasks.wikiann.train.lr", "'fast'", "number"),
    Bad("train of no method", use.wikiann(train={"lroa": {"lr": 1.0}}),
        CONFIG, "tasks.wikiann.train", "'lroa'", "did you mean 'lora'"),
    Bad("train of a method, key", use.config(train={"lora": {"rate": 1.0}}),
        CONFIG, "train.lora.rate", "1.0", "use one of"),
    Bad("train of a method, type", use.wikiann(train={"lora": {"lr": "x"}}), CONFIG, "train.lora.lr", "'x'", "number"),
    Bad("train of a method, no mapping", use.config(train={"lora": 3}),
        CONFIG, "train.lora", "3", "write lora: {lr: ...}"),
    Bad("train of a control", use.config(train={"majority": {"lr": 1.0}}), CONFIG, "train", "'majority'", "remove it"),
    Bad("a field with a mapping", use.config(train={"lr": {"lora": 1.0}}),
        CONFIG, "train.lr", "{'lora': 1.0}", "number"),
    Bad("preparation of the run", use.config(prepare={"dapt": {"step": 1}}),
        CONFIG, "prepare.dapt", "'step'", "'steps'"),
    Bad("preparation", use.wikiann(prepare={"multitsak": {}}),
        CONFIG, "tasks.wikiann.prepare", "'multitsak'", "'multitask'"),
    Bad("prepare option", use.wikiann(prepare={"dapt": {"step": 1}}), CONFIG, "prepare.dapt", "'step'", "'steps'"),
    Bad("prepare type", use.wikiann(prepare={"dapt": {"steps": "x"}}), CONFIG, "prepare.dapt.steps", "'x'", "integer"),
    Bad("key twice", use.edit(CONFIG, "seeds:", "seeds: [7]\nseeds:"), CONFIG, "'seeds'", "second block", "remove one"),
    Bad("inner key twice", use.edit(CONFIG, "steps: 1", "steps: 1\n    steps: 2"), CONFIG, "'steps'", "'2'", "remove"),
    Bad("octal", use.edit(CONFIG, "- 4", "- 010"), f"{CONFIG}: line 11", "budgets.0", "'010'", "as 10"),
    Bad("truth for a role", use.edit(CONFIG, "nl: meta_test", "no: on"), f"{CONFIG}: line 14", "domains.no", "'on'",
        "'meta_test'"),
    Bad("one method", use.config(methods="lora"), f"{CONFIG}: line 4", "methods", "'lora'",
        "it should be 'all' or 'papers' or it should be a valid list: write [lora]"),
    Bad("one role", pretrained(corpora={"wikiann": "meta_train"}), CONFIG, "corpora.wikiann", "'meta_train'",
        "write [meta_train]"),
    Bad("nothing for a text", use.config(output=None), f"{CONFIG}: line 1", "output", "None", "put it in quotes"),
    Bad("not UTF-8", use.text(CONFIG, b"a: \xff\n"), f"{CONFIG}: line 1", "the text", "\\xff", "UTF-8"),
]  # fmt: skip

FOLDERS = [
    Bad("method key", use.edit(METHOD, "label:", "lable: x\nlabel:"), METHOD, "'lable'", "'x'", "did you mean 'label'"),
    Bad("method type", use.edit(METHOD, "LoRA", "[a]"), METHOD, "label", "['a']", "valid string"),
    Bad("method train", use.edit(METHOD, "steps: 60", "step: 60"), METHOD, "train.step", "60", "'steps'"),
    Bad("method search", use.edit(METHOD, "search: {lr: [1.0e-4", "search: {lr: [0"), METHOD, "search", "{'lr': [0",
        "the smallest lr and the largest"),
    Bad("adapt option", use.edit(METHOD, "rank: 8", "rnak: 8"), METHOD, "adapt.lora.rnak", "8", "'rank'"),
    Bad("adapt type", use.edit(METHOD, "rank: 8", "rank: many"), METHOD, "adapt.lora.rank", "'many'", "integer"),
    Bad("no such class", use.edit(METHOD, "{lora:", "{lara:"), METHOD, "adapt", "'lara'", "did you mean 'lora'"),
    Bad("prepare option in a method", use.edit("methods/dapt/method.yaml", "dapt: {steps: 100", "dapt: {stesp: 100"),
        "methods/dapt/method.yaml", "prepare.dapt.stesp", "100", "'steps'"),
    Bad("unknown preparation", use.edit("methods/dapt/method.yaml", "{dapt: {", "{multitsak: {"),
        "methods/dapt/method.yaml", "prepare", "'multitsak'", "did you mean 'multitask'"),
    Bad("a hook that a preparation leaves out", matched_multitask("adapt: {adapter: {bottleneck: 32, placement: last}}",
        "adapt: {adapter_fusion: {}}"), "methods/multitask_adapter/method.yaml", "prepare", "'multitask'",
        "would leave out AdapterFusion.penalty"),
    Bad("a preparation for another adaptation", matched_multitask(
        "multitask: {updates: everything, steps: 100, batch_size: 112, lr: 2.0e-3}", "fusion: {}"),
        "methods/multitask_adapter/method.yaml", "prepare", "'fusion'", "name that under `adapt`"),
    Bad("method key twice", use.edit(METHOD, "label:", "label: a\nlabel:"), METHOD, "'label'", "'LoRA'", "remove one"),
    Bad("broken YAML", use.edit(METHOD, "adapt: {", "adapt: {{"), METHOD, "the YAML", "expected", "mend this line"),
    Bad("code does not import", use.text("methods/lora/method.py", "import nowhere\n"),
        "methods/lora/method.py", "the code", "No module named 'nowhere'", "mend it or remove the folder"),
    Bad("code is not Python", use.text("methods/lora/method.py", "class LoRA(\n"),
        "methods/lora/method.py", "the code", "SyntaxError", "mend it"),
    Bad("no class", use.edit(METHOD, "adapt: {lora", "adapt: {lore"), METHOD, "adapt", "'lore'", "did you mean 'lora'"),
    Bad("no attach", use.text("methods/lora/method.py", "from harness.contracts.adaptation import Adaptation\n\n"
        "class LoRA(Adaptation):\n    rank: int = 8\n    scale: float = 1.0\n    targets: str = ''\n"),
        "methods/lora/method.py", "the class", "'LoRA'", "define it"),
    Bad("no method.yaml", lambda folder: (folder / METHOD).unlink(), "methods/lora", "the folder", "'lora'", "write"),
    Bad("tuned is no mapping", tuned("junk\n"), TUNED, "the file", "'junk'", "write a mapping"),
    Bad("tuned is empty", tuned(""), TUNED, "the file", "None", "write a mapping"),
    Bad("tuned lacks a key", tuned("wikiann: [{train: {lr: 0.1}}]\n"), TUNED, "wikiann.0.source", "None", "add it"),
    Bad("tuned is no list", tuned("wikiann: 3\n"), TUNED, "wikiann", "3", "write a list of entries"),
    Bad("tuned entry", tuned("wikiann: [3]\n"), TUNED, "wikiann.0", "3", "dictionary"),
    Bad("tuned rate", tuned(f"wikiann: [{{train: {{lrr: 0.1}}, {REST}}}]\n"),
        TUNED, "wikiann.0.train.lrr", "0.1", "did you mean 'lr'"),
    Bad("tuned for no task", tuned(f"wikian: [{{train: {{}}, {REST}}}]\n"), TUNED, "a task", "'wikian'", "'wikiann'"),
    Bad("a search of two rates", use.edit(METHOD, "search: {lr:", "search: {warmup: [0.01, 0.5], lr:"),
        METHOD, "search", "{'warmup'", "name exactly one rate"),
    Bad("a search of one value", use.edit(METHOD, "[1.0e-4, 1.0]", "[1.0e-4]"),
        METHOD, "search.lr.1", "None", "it is missing; add it"),
    Bad("a narrow search", use.edit(METHOD, "[1.0e-4, 1.0]", "[1.0e-4, 2.0e-4]"),
        METHOD, "search", "{'lr': [0.0001, 0.0002]}", "at least ten times as large"),
    Bad("rates", use.config(rates="guessed"), CONFIG, "rates", "'guessed'", "'search' or 'given'"),
    Bad("no share", use.config(match_parameters=0), CONFIG, "match_parameters", "0", "above 0 and at most 1"),
    Bad("negative share", use.config(match_parameters=-0.01), CONFIG, "match_parameters", "-0.01", "above 0"),
    Bad("share above all", use.config(match_parameters=1.5), CONFIG, "match_parameters", "1.5", "at most 1"),
    Bad("share as text", use.config(match_parameters="1%"), CONFIG, "match_parameters", "'1%'", "as 0.01"),
    Bad("share as truth", use.config(match_parameters=True), CONFIG, "match_parameters", "True", "as 0.01"),
    Bad("task's share", use.wikiann(match_parameters=2), CONFIG, "tasks.wikiann.match_parameters", "2", "at most 1"),
    Bad("method's share", use.edit(METHOD, "adapt:", "match_parameters: one\nadapt:"), METHOD, "match_parameters",
        "'one'", "as 0.01"),
    Bad("extends nothing", use.config(extends="gone.yaml"), "gone.yaml", "the file", "'gone.yaml'", "create it"),
    Bad("extends no name", use.config(extends=3), CONFIG, "extends", "3", "name a configuration file"),
    Bad("extends itself", use.config(extends=CONFIG), CONFIG, "extends", "'run.yaml'", "one that does not"),
    Bad("task key", use.edit(TASK, "label:", "lebal: x\nlabel:"), TASK, "'lebal'", "'x'", "did you mean 'label'"),
    Bad("task type", use.edit(TASK, "version: 1", "version: new"), TASK, "version", "'new'", "integer"),
    Bad("task budgets", use.edit(TASK, "budgets: [", "budgets: [5, 5, "), TASK, "budgets", "[5, 5", "remove one"),
    Bad("task domain twice", use.edit(TASK, "      en: meta_train", "      en: meta_test\n      en: meta_train"),
        TASK, "'en'", "'meta_train'", "remove one"),
    Bad("task kind", use.edit(TASK, "kind: token-classification", "kind: causal-lm"), TASK, "kind", "'causal-lm'",
        "mend one of the two"),
    Bad("task code", use.text("tasks/wikiann/task.py", "1 / 0\n"), "tasks/wikiann/task.py", "the code",
        "ZeroDivisionError", "mend it"),
    Bad("no embedded sizes", use.edit(TASK, "    sizes:", "    folder:"), TASK, "sources.embedded.folder", "{'train'",
        "valid string"),
    Bad("hub domain without a set", use.edit(TASK, "nl: {<<: *wikiann, configuration: nl}", ""), TASK, "sources",
        "{'embedded'", "add the domain 'nl' to the `sets`"),
    Bad("unpinned hub", use.wikiann(source="hub"), TASK, "sources.hub.sets.en.revision", "None",
        "set it to a commit of the data set unimelb-nlp/wikiann"),
    Bad("branch for a commit", use.edit(TASK, "revision: null", "revision: main"), TASK, "sources.hub.sets.en.revision",
        "'main'", "40 digits of a commit"),
    Bad("hub key", use.edit(TASK, "revision: null", "revison: null"), TASK, "sources.hub.sets.en.revison", "None",
        "did you mean 'revision'"),
]  # fmt: skip

DATA = [
    Bad("no HEADSTART_DATA", use.both(use.ner_data, use.text("unset", "")), TASK, "sources.local.folder", "'wikiann'",
        "HEADSTART_DATA is not set"),
    Bad("no data folder", use.wikiann(source="local"), TASK, "sources.local.folder", "'wikiann'", "does not exist"),
    Bad("no domain folder", use.both(use.ner_data, use.wikiann(source="local", domains={"fr": "meta_test"})),
        CONFIG, "tasks.wikiann.domains", "'fr'", "add it or name another"),
    Bad("no file", use.both(use.ner_data, lambda folder: (folder / "data/wikiann/nl/dev").unlink()),
        "wikiann/nl/dev", "the data file", "'dev'", "put it there"),
    Bad("empty file", local("nl/dev", ""), "wikiann/nl/dev: line 1", "the file", "b''", "fetch it again"),
    Bad("no tab", local("nl/train", "nl:a\tO\nnl:b O\n"), "wikiann/nl/train", "line 2", "'nl:b O'", "a tab"),
    Bad("no language", local("nl/train", "nl:a\tO\nb\tO\n"), "wikiann/nl/train", "line 2", "b\\tO", "lang:token"),
    Bad("unknown tag", local("nl/train", "nl:a\tO\nnl:b\tB-X\n"), "nl/train: line 2", "the tag", "'B-X'", "use one of"),
    Bad("cut in a tag", local("nl/train", "nl:a\tO\n\nnl:b\tB-PE"), "nl/train: line 3", "the last line", "B-PE", "cut"),
    Bad("cut in a token", local("nl/train", "nl:a\tO\n\nnl:b"), "nl/train: line 3", "the last line", "nl:b", "cut"),
    Bad("not UTF-8", local("nl/train", b"nl:a\tO\nnl:\xff\tO\n"), "nl/train: line 2", "the text", "\\xff", "UTF-8"),
    Bad("longer sources", paired("email/val.source", "a\n" * 7), "val.target: line 7", "number of lines", "6", "fetch"),
    Bad("longer targets", paired("email/val.target", "a\n" * 8), "val.source: line 7", "number of lines", "6", "fetch"),
    Bad("empty line", paired("email/val.source", "a\n \n"), "val.source: line 2", "the document", "' '", "write one"),
    Bad("empty corpus line", paired("dialog/corpus.txt", "a\n\nb\n"), "corpus.txt: line 2", "document", "''", "one"),
    Bad("cut document", paired("email/val.source", "a\nb"), "val.source: line 2", "the last line", "'b'", "cut"),
    Bad("budget", use.both(use.ner_data, use.wikiann(source="local", budgets=[7])), CONFIG, "tasks.wikiann.budgets",
        "7", "domain 'nl' has 6 training examples"),
    Bad("one domain, two names", twin, CONFIG, "tasks.wikiann.domains.nl", "'meta_test'", "remove one of them"),
    Bad("shared example", shared_example, CONFIG, "tasks.wikiann: the test example nl-test-6", "'word', 'entrain0'",
        "remove one of them"),
]  # fmt: skip

ALL = [*CONFIGS, *FOLDERS, *DATA, *CHECKPOINTS]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the current folder, with HEADSTART_DATA set."""
    use.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


def told_by_check(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", "--configfile", CONFIG]) == 2
    return capsys.readouterr().err


def told_by_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a Snakemake run says before its first job."""

    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as ended:
        entry.open_run([], [CONFIG])
    assert ended.value.code == 2
    return capsys.readouterr().err


def names_its_line(mistake: Bad, told: str) -> bool:
    """Whether a sentence about a YAML file names a line with a part of the field or the value; absence has none."""
    found = re.search(r"(\S+\.yaml): line (\d+): ", told)
    if found is None:
        return any(word in told for word in ("it is missing", "does not exist", "the file is"))
    line = Path(found[1]).read_bytes().splitlines()[int(found[2]) - 1].decode(errors="backslashreplace")
    words = [mistake.value.strip("'[]").lower(), *re.split("[.:]", mistake.field.strip("'"))]
    return "the YAML" in told or any(word in line for word in words if word)


@pytest.mark.parametrize("mistake", ALL, ids=lambda mistake: mistake.name)
def test_refused_in_one_sentence(
    mistake: Bad, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake.spoil(project)
    if (project / "unset").is_file():
        monkeypatch.delenv("HEADSTART_DATA")
    for told in (told_by_check(capsys), told_by_run(monkeypatch, capsys)):
        assert told.startswith("headstart: ")
        assert told.count("\n") == 1, told
        for part in (mistake.file, mistake.field, mistake.value, mistake.mend):
            assert part in told
        assert names_its_line(mistake, told) or not mistake.file.endswith(".yaml")
    assert not (project / "out" / "plan.json").exists()
    assert not (project / "out" / "backbones").exists()


def test_the_small_project_itself_is_well(project: Path) -> None:
    for spoil in (use.config(), use.ner_data, use.pair_data):
        spoil(project)
        entry.recheck(entry.make_plan(CONFIG))
    use.checkpoint("bert")(project)
    entry.make_plan(CONFIG)  # what is left needs torch: tests/contract/test_checkpoint_faults.py


def test_a_sentence_is_one_line() -> None:
    assert str(UserError("a\nb \n\n c")) == "a b c"
    assert "\n" not in str(bad("f", "x", "a\nb", "mend\nit"))


def test_a_long_value_is_cut() -> None:
    assert len(str(bad("f", "x", "a" * 1000, "mend it"))) < 160


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A real Snakemake run of the small project."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG, *words]
    path = os.pathsep.join([str(use.ROOT), os.environ.get("PYTHONPATH", "")])
    variables = os.environ | {"PYTHONPATH": path, "HEADSTART_DATA": str(folder / "data")}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mistake", [CONFIGS[0], DATA[0]._replace(spoil=use.ner_data)], ids=["config", "data"])
def test_snakemake_leaves_with_the_sentence_alone(mistake: Bad, project: Path) -> None:
    mistake.spoil(project)
    use.text("data/wikiann/nl/train", "nl:a\tO\nnl:b O\n")(project)
    done = snakemake(project)
    assert done.returncode == 2
    sentences = [line for line in done.stderr.splitlines() if line.startswith("headstart: ")]
    assert len(sentences) == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert not (project / "out" / "backbones").exists()


def test_snakemake_leaves_with_the_sentence_of_a_job(project: Path) -> None:
    """What only the rule `data` can see, since it generates: a grammar that is too small."""
    grammar = 'words: {x: [a]}\nframes: ["a .", "b .", "c .", "d ."]\n'
    use.text("tasks/wikiann/embedded/nl.yaml", grammar)(project)
    done = snakemake(project)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("headstart: ")
    assert "add frames or words" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr + done.stdout
    assert not list((project / "out").glob("backbones/*/backbone.json"))


def test_snakemake_takes_the_files_own_reading_and_the_command_lines(project: Path) -> None:
    """Snakemake reads `no` as False and each number after `--config` as a text: neither reaches the plan."""
    use.ner_data(project)
    (project / "data/wikiann/nl").rename(project / "data/wikiann/no")
    use.edit(CONFIG, "nl: meta_test", "no: meta_test")(project)
    done = snakemake(project, "-n", "--config", "tasks={wikiann: {budgets: [5, 6]}}", "seeds=[3]", "allow_failures=yes")
    assert done.returncode == 0, done.stderr
    plan = json.loads((project / "out" / "plan.json").read_text())
    assert plan["tasks"]["wikiann"]["domains"] == ["no"]
    assert plan["tasks"]["wikiann"]["budgets"] == [5, 6]
    assert (plan["seeds"], plan["allow_failures"]) == ([3], True)
    done = snakemake(project, "-n", "--config", "tasks={wikiann: {budgets: [010]}}")
    assert done.returncode == 2
    assert "headstart: --config tasks={wikiann: {budgets: [010]}}: tasks.wikiann.budgets.0 is '010'" in done.stderr
