"""Every command on README.md and docs/ can be given as it stands: cheap ones are, dear ones as far as a plan goes."""

from __future__ import annotations

import re
import shlex
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.asked import plan_asked
from harness.cli.asked_table import plan_table
from harness.cli.commands import parser
from harness.cli.main import main
from harness.contracts.claim import Claim
from harness.contracts.papers import papers
from tests import project as use
from tests.project import ROOT

PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
WORDS = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(headstart|snakemake|make|python) (.*)$")
FILES = {"FILE": "config/default.yaml"}  # what stands on a page for a name of the reader's own

# What is not really run, and why; all else is.
DEAR = {
    "run": "it trains; its cells are planned, and test_templates runs those of the templates",
    "check": "it makes every task's data; test_templates gives it a small run",
    "claim": "it needs records; the claim is looked for",
    "tune": "it trains; tests/contract/test_search.py runs a search",
    "pretrain": "it trains for minutes; the recipe is looked for",
}
# These read what a whole run has made: their words are parsed, and no more.
OF_RECORDS = ("compare", "compare-runs", "power", "open", "predictions", "retry", "reference")


def commands(page: str) -> list[tuple[str, str]]:
    """Each command of a page, its program and its words: lines of fenced blocks, and what stands between backticks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line.split(" #")[0] for block in FENCE.findall(text) for line in block.splitlines()]
    inline = [words.replace("\n", " ") for words in re.findall(r"`([^`]+)`", FENCE.sub("", text))]
    found = [match for line in [*lines, *inline] if (match := WORDS.match(line.strip()))]
    return [(match[1], match[2].strip()) for match in found]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project in the current folder, with its backbones."""
    use.copy_project(tmp_path)
    shutil.copytree(ROOT / "backbones", tmp_path / "backbones")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pages_are_read() -> None:
    assert ("headstart", "new method mine") in commands("README.md")
    assert ("headstart", "check --configfile FILE") in commands("docs/configure.md")
    assert sum(len(commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_what_a_page_says_can_be_given(page: str, project: Path) -> None:
    for program, words in commands(page):
        GIVEN[program](words)


def give_headstart(text: str) -> None:
    """Run a command, or go as far as it is not dear; of one that is only mentioned, without its words, the name."""
    words = [FILES.get(word, word) for word in shlex.split(text)]
    known = {name for action in parser()._actions for name in action.choices or ()}
    assert words[0] in known, f"there is no command {words[0]}"
    if len(words) == 1 and words[0] != "check":
        return
    options = parser().parse_args(words)
    if words[0] == "run":
        plan = plan_table(options) if options.paper else plan_asked(options)
        assert list(plan.cells())
    elif words[0] == "claim":
        paper, name = options.claim.split("/")
        assert isinstance(papers()[paper].claims[name], Claim)
    elif words[0] == "tune" and options.task:
        assert options.show or list(plan_asked(as_asked(options.task, options.method)).cells())
    elif words[0] == "pretrain":
        assert (Path("backbones") / options.name / "recipe.yaml").is_file()
    elif words[0] not in (*DEAR, *OF_RECORDS):
        assert main(words) == 0, text


def as_asked(task: list[str], method: list[str]) -> Namespace:
    """The options of a run of these cells."""
    return parser().parse_args(["run", "--task", *task, "--method", *method])


def give_snakemake(text: str) -> None:
    """A run is e2e's; here the configuration that it names has to be there."""
    words = text.split()
    for place, word in enumerate(words):
        if word == "--configfile":
            assert Path(words[place + 1]).is_file(), text


def give_make(text: str) -> None:
    """A target of the Makefile; what it does takes minutes."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert text.split()[0] in targets, text


def give_python(text: str) -> None:
    """A script of the project; what it does takes minutes."""
    assert (ROOT / text.split()[0]).is_file() or text.startswith("-"), text


GIVEN: dict[str, Callable[[str], None]] = {
    "headstart": give_headstart,
    "snakemake": give_snakemake,
    "make": give_make,
    "python": give_python,
}
