"""The local source of a task of YAML alone: where its files lie, what their fingerprint covers, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.errors import UserError
from harness.contracts.discover import tasks
from harness.data.build import check_roles, domain_fingerprint
from harness.data.task import load_task
from harness.plan.entry import make_plan, recheck
from tests import project as use
from tests.project import CONFIG

READER: dict[str, Any] = {"format": "jsonl", "files": {"train": "train.jsonl", "test": "test.jsonl"}}
SPEC: dict[str, Any] = {
    "label": "a", "summary": "a", "kind": "summarization", "metric": "rouge1", "direction": "max", "version": 1,
    "citation": "a", "licence": "a", "max_length": 32, "backbone": "encoder_decoder", "budgets": [2],
}  # fmt: skip
LANGUAGES = {"en": "A cat sat here", "ru": "Кошка сидит на ковре", "zh": "猫坐在垫子上", "hi": "बिल्ली चटाई पर बैठी"}


def write_task(folder: Path, reader: dict[str, Any] | None = None, **changes: Any) -> None:
    local = {"folder": "sums", "domains": {"de": "meta_train", "en": "meta_test"}, "reader": reader or READER}
    content = SPEC | {"sources": {"local": local}} | changes
    use.text("tasks/sums/task.yaml", yaml.safe_dump(content))(folder)


def write_data(folder: Path, domain: str, place: str, text: str) -> None:
    for split in ("train", "test"):
        rows = [f'{{"document": "{domain} {split} {n}", "summary": "{text} {split} {n}"}}\n' for n in range(3)]
        use.text(f"data/sums/{place.format(domain=domain, split=split)}", "".join(rows))(folder)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A summarization task over JSON lines, with a run on it."""
    use.copy_project(tmp_path)
    write_task(tmp_path)
    for domain, text in {"de": "Eine Katze", **LANGUAGES}.items():
        write_data(tmp_path, domain, "{domain}/{split}.jsonl", text)
    run_on("en", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_DATA", str(tmp_path / "data"))
    return tmp_path


def run_on(target: str, folder: Path) -> None:
    run = {"source": "local", "domains": {"de": "meta_train", target: "meta_test"}}
    use.config(tasks={"sums": run}, backbones={"encoder_decoder": use.backbone("bart", "sums")})(folder)


def print_of(domain: str) -> str:
    return domain_fingerprint(tasks()["sums"], "local", domain)


def test_the_fingerprint_covers_the_files_read_and_no_others(project: Path) -> None:
    before = print_of("en")
    for name in ("notes.txt", ".train.jsonl.swp", "train.jsonl~", "old/train.jsonl"):
        use.text(f"data/sums/en/{name}", "anything\n")(project)
    assert print_of("en") == before
    with open(project / "data" / "sums" / "en" / "test.jsonl", "a") as file:
        file.write('{"document": "more", "summary": "more"}\n')
    assert print_of("en") != before


@pytest.mark.parametrize(
    "changes",
    [{"columns": {"document": "summary"}}, {"files": READER["files"] | {"dev": "test.jsonl"}}],
    ids=["columns", "files"],
)
def test_the_fingerprint_covers_how_the_files_are_read(changes: dict[str, Any], project: Path) -> None:
    before = print_of("en")
    write_task(project, READER | changes)
    assert print_of("en") != before


def test_entity_types_are_part_of_the_fingerprint(project: Path) -> None:
    before = domain_fingerprint(tasks()["wikiann"], "embedded", "nl")
    use.edit("tasks/wikiann/task.yaml", "types: [PER, ORG, LOC]", "types: [PER, LOC, ORG]")(project)
    assert domain_fingerprint(tasks()["wikiann"], "embedded", "nl") != before


def test_files_may_lie_side_by_side(project: Path) -> None:
    write_task(project, READER | {"files": {"train": "{domain}.train.jsonl", "test": "{domain}.test.jsonl"}})
    for domain in ("de", "en"):
        write_data(project, domain, "{domain}.{split}.jsonl", "flat")
    recheck(make_plan(CONFIG))
    (project / "data" / "sums" / "en.test.jsonl").unlink()
    with pytest.raises(UserError, match=r"sums/en.test.jsonl: the data file is 'en.test.jsonl'; it does not exist"):
        make_plan(CONFIG)


@pytest.mark.parametrize("place", ["{domain}/{split}.jsonl", "{domain}.{split}.jsonl"])
def test_one_domain_under_two_names_is_seen(place: str, project: Path) -> None:
    files = {split: place.format(domain="{domain}", split=split) for split in ("train", "test")}
    files = files if "." in place.split("/")[0] else READER["files"]
    write_task(project, READER | {"files": files})
    for domain in ("de", "en"):
        for split in ("train", "test"):
            use.text(f"data/sums/{place.format(domain=domain, split=split)}", '{"document": "a", "summary": "b"}\n')(
                project
            )
    with pytest.raises(UserError, match="its data are those of 'de'"):
        check_roles(CONFIG, tasks()["sums"], "local", {"de": "meta_train", "en": "meta_test"})


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_references_that_rouge_would_not_see_are_refused(language: str, project: Path) -> None:
    run_on(language, project)
    told = rf"metrics.rouge.tokenizer is 'english'; it drops \d+% .* domain '{language}'.*tokenizer: unicode"
    with pytest.raises(UserError, match=told):
        recheck(make_plan(CONFIG))
    write_task(project, metrics={"rouge": {"tokenizer": "unicode"}})
    plan = make_plan(CONFIG)
    recheck(plan)
    assert plan.tasks["sums"].metrics["rouge"] == {"tokenizer": "unicode"}


def test_a_tokenizer_scores_again_and_trains_nothing_again(project: Path) -> None:
    before = make_plan(CONFIG)
    write_task(project, metrics={"rouge": {"tokenizer": "unicode"}})
    after = make_plan(CONFIG)
    assert before.scored("sums") != after.scored("sums")
    assert before.scored("sums") != replace(before, tasks=after.tasks).scored("sums")  # whatever else has changed
    assert list(before.cells()) == list(after.cells())


def test_a_test_split_without_entities_is_refused(project: Path) -> None:
    use.ner_data(project)
    recheck(make_plan(CONFIG))
    use.text("data/wikiann/nl/test", "nl:a\tO\n\nnl:b\tB-PER\n")(project)
    recheck(make_plan(CONFIG))
    use.wikiann(source="local", test_examples=1)(project)
    with pytest.raises(UserError, match=r"types is \['PER', 'ORG', 'LOC'\]; domain 'nl' has no entity"):
        recheck(make_plan(CONFIG))


TASKS: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown metric", {"metric": "rogue1"}, "metric is 'rogue1'; did you mean 'rouge1'"),
    ("the other direction", {"direction": "min"}, "direction is 'min'; a better rouge1 is max"),
    ("types of another kind", {"types": ["PER"]}, "kind is 'summarization'; `types` are for token-classification"),
    ("no types", {"kind": "token-classification", "metric": "f1"}, "types is None; name the entity types"),
    ("a type twice", {"types": ["PER", "PER"]}, "types is .*'PER' stands twice"),
    ("an option of another kind", {"kind": "causal-lm", "metric": "perplexity", "direction": "min",
        "metrics": {"rouge": {"tokenizer": "unicode"}}}, "metrics is 'rouge'"),
    ("an unknown tokenizer", {"metrics": {"rouge": {"tokenizer": "x"}}}, "metrics.rouge.tokenizer is 'x'; .*'unicode'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "told"), TASKS, ids=[case[0] for case in TASKS])
def test_what_a_kind_cannot_do_is_refused(name: str, changes: dict[str, Any], told: str, project: Path) -> None:
    write_task(project, **changes)
    with pytest.raises(UserError, match=rf"tasks/sums/task.yaml: (line \d+: )?{told}"):
        load_task(tasks()["sums"])


def test_a_reader_beside_code_that_reads_is_refused(project: Path) -> None:
    code = (
        "from harness.data.kinds import Summarization\n\n\nclass Mine(Summarization):\n    def read_local(self): ...\n"
    )
    use.text("tasks/sums/task.py", code)(project)
    with pytest.raises(UserError, match=r"reader is 'JsonLines'; task.py defines read_local"):
        load_task(tasks()["sums"])


def test_code_may_refine_a_kind_and_a_file_without_a_class_does_not_matter(project: Path) -> None:
    use.text("tasks/sums/task.py", "# nothing yet\n")(project)
    assert type(load_task(tasks()["sums"])).__name__ == "Summarization"


def test_code_with_a_class_that_is_no_task_is_refused(project: Path) -> None:
    use.text("tasks/sums/task.py", "class Mine:\n    pass\n")(project)
    with pytest.raises(UserError, match="the number of subclasses of Task is 0; define exactly one"):
        load_task(tasks()["sums"])


def test_a_source_without_a_reader_or_code_is_refused(project: Path) -> None:
    local = {"folder": "sums", "domains": {"de": "meta_train", "en": "meta_test"}}
    write_task(project, sources={"local": local})
    with pytest.raises(
        UserError, match=r"task.yaml: line \d+: sources.local.reader is None; describe the files there, or define"
    ):
        recheck(make_plan(CONFIG))


PAGE = (use.ROOT / "docs" / "add-a-task.md").read_text()


def block(language: str, begins: str = "") -> str:
    """The page's first example in a language that begins so, the commands apart."""
    return begins + PAGE.partition(f"```{language}\n{begins}")[2].partition("```")[0]


def test_the_pages_reader_can_be_taken(project: Path) -> None:
    kind = {"kind": "token-classification", "metric": "f1", "types": ["PER"]}
    write_task(project, **yaml.safe_load(block("yaml", "sources:")), **kind)
    assert load_task(tasks()["sums"]).spec.sources["local"].reader


def test_the_pages_labels_can_be_taken(project: Path) -> None:
    labels = yaml.safe_load(block("yaml", "metric:"))
    files = {"train": "train.tsv", "test": "test.tsv"}
    reader = {"format": "tsv", "columns": {"text": "text", "label": "label"}, "files": files}
    domains = {"acceptability": "meta_train", "similarity": "meta_test"}
    local = {"folder": "texts", "domains": domains, "reader": reader}
    write_task(project, kind="sequence-classification", sources={"local": local}, **labels)
    task = load_task(tasks()["sums"])
    assert (task.metric_of("acceptability"), task.metric_of("similarity")) == ("matthews", "pearson")


IMPORTS = (
    "from pathlib import Path\nfrom harness.data.files import text_lines\nfrom harness.data.kinds import CausalLM\n"
    "from harness.data.rows import numbered\nfrom harness.data.task import SPLITS, Splits\n\n\n"
)
LM = {"kind": "causal-lm", "metric": "perplexity", "direction": "min", "backbone": "decoder"}


def write_code(folder: Path, code: str) -> None:
    """A task of language modelling that reads its local source by code, over two books of two chapters a split."""
    write_task(folder, sources={"local": {"folder": "books", "domains": {"de": "meta_train", "en": "meta_test"}}}, **LM)
    use.text("tasks/sums/task.py", IMPORTS + code)(folder)
    for domain in ("de", "en"):
        for split in ("train", "dev", "test"):
            for number in range(2):
                use.text(f"data/books/{domain}/{split}/{number}.txt", f"{domain} {split}\n{number}\n")(folder)
    run = {"source": "local", "domains": {"de": "meta_train", "en": "meta_test"}}
    use.config(methods=["finetune"], tasks={"sums": run}, backbones={"decoder": use.backbone("gpt2", "sums")})(folder)


def test_the_pages_code_reads_a_layout_of_its_own(project: Path) -> None:
    write_code(project, block("python"))
    recheck(make_plan(CONFIG))
    splits = load_task(tasks()["sums"]).read_local("en", project / "data" / "books")
    assert splits["test"] == [{"id": f"en-test-{n}", "text": f"en test {n}"} for n in range(2)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('{"text":', '{"txt":', "read_local, train example 1: the example is .* it lacks 'text'"),
        ('" ".join(text_lines(file))', '""', "read_local, train example 1: the text is ''; it is empty"),
        ('glob("*.txt")', 'glob("*.md")', "tasks.sums.budgets is 2; domain 'en' has 0 training examples"),
        (
            '"*.txt"',
            '"*.txt" if split == "train" else "*.md"',
            "sums.domains.en is 'meta_test'; it has no test example",
        ),
    ],
)
def test_what_code_reads_is_checked_too(old: str, new: str, told: str, project: Path) -> None:
    assert old in block("python")
    write_code(project, block("python").replace(old, new))
    with pytest.raises(UserError, match=told):
        recheck(make_plan(CONFIG))


def test_a_reader_in_another_source_is_refused(project: Path) -> None:
    use.edit("tasks/wikiann/task.yaml", "    sizes:", f"    reader: {READER}\n    sizes:")(project)
    with pytest.raises(UserError, match="remove 'reader' in the source 'embedded'"):
        tasks()
