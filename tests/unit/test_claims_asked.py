"""What `check`, `claim` and `power` say of the claims of a project and of a configuration."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.cli.main import main
from harness.contracts.claim import On
from harness.contracts.paper import Column, PaperTable, Row
from harness.contracts.papers import papers
from tests import project as use
from tests.unit.test_claims import claim, paper


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    use.copy_project(folder)
    return folder


def test_check_refuses_claims_that_cannot_be_meant(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.contracts.discover import methods, tasks
    from harness.paper.soundness import check_paper

    monkeypatch.chdir(project)
    found, known = methods(), tasks()
    for its, words in (
        (
            claim(on=On(task="wikiann", metric="f1"), methods=["lora", "head"], scale="log_ratio"),
            "compares on difference",
        ),
        (
            claim(on=On(task="adaptsum", metric="rouge1"), methods=["lora", "head"]),
            "not for tasks of kind summarization",
        ),
    ):
        with pytest.raises(UserError, match=words):
            check_paper("hou2022-mltd", paper(its), found, known)
    for name, spec in papers().items():
        check_paper(name, spec, found, known)
    for metric, refused in (("f1_PER", False), ("f1_PERS", True)):
        table = PaperTable(
            title="T",
            task="wikiann",
            metric="f1",
            rows={"A": Row(method="lora")},
            columns={"C": Column(domain="nl", metric=metric)},
        )
        spec = paper().model_copy(update={"tables": {"t": table}})
        with pytest.raises(UserError, match="did you mean 'f1_PER'") if refused else nullcontext():
            check_paper("hou2022-mltd", spec, found, known)


@pytest.mark.parametrize(
    ("name", "seeds", "told"),
    [
        ("hou2022-mltd/meta_beats_multitask", [0, 1], "does not have the task adaptsum, so this run can never"),
        ("gheini2023-priming/finetune_beats_hed", [0, 1], "did you mean 'gheini2023-priming/finetune_beats_head'"),
        ("gheini2023-priming/finetune_beats_head", [0], "a single seed tells nothing"),
    ],
)
def test_check_refuses_a_configuration_that_cannot_answer(
    name: str, seeds: list[int], told: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.paper.soundness import check_asked
    from harness.plan.entry import make_plan

    monkeypatch.chdir(project)
    use.write_config(project, {"claims": [name], "seeds": seeds, "methods": ["finetune", "head"]})
    with pytest.raises(UserError, match=told) as error:
        check_asked(make_plan(use.CONFIG), papers(), use.CONFIG)
    assert "run.yaml: line" in str(error.value)


def test_commands_answer(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(project)
    use.write_config(project, {"methods": ["finetune", "head"]})
    assert main(["claim", "gheini2023-priming/finetune_beats_head", "--configfile", use.CONFIG]) == 0
    out = capsys.readouterr().out
    assert "– not run: no cell of the task has a score yet" in out
    assert main(["claim", "gheini2023-priming/nothing", "--configfile", use.CONFIG]) == 2
    assert "the claim is 'nothing'" in capsys.readouterr().err
    assert main(["power", "--configfile", use.CONFIG]) == 0
    assert "the pilot: no cell of the task has a score yet" in capsys.readouterr().out


def test_the_configuration_for_the_claims_can_answer_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.paper.soundness import check_asked
    from harness.plan.entry import make_plan

    monkeypatch.chdir(use.ROOT)
    plan = make_plan("config/claims.yaml")
    check_asked(plan, papers(), "config/claims.yaml")
    named = plan.config["claims"]
    assert len(set(named)) == len(named) >= 12
