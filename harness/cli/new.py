"""`headstart new`: a folder to start from."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from pathlib import Path

from harness.base.errors import UserError, bad
from harness.base.paths import check_plain, expanded, own_files, project_root
from harness.contracts.model import one_of

TEMPLATES = Path(__file__).parent / "templates"
KIND = "causal-lm"  # of a new task where none is asked for


def new(options: Namespace) -> int:
    """Write a method, task or paper folder under a new name, from the teaching template of its kind."""
    more = "-" if options.what == "paper" else ""
    if not re.fullmatch(rf"[a-z][a-z0-9_{more}]*", options.name):
        signs = "_ and -" if more else "_"
        raise bad("headstart new", "the name", options.name, f"use small letters, digits and {signs}, a letter first")
    folder = home_of(options.to) / f"{options.what}s" / options.name
    if folder.exists():
        raise UserError(f"{folder}: this folder exists already; choose another name")
    copy_template(template_of(options.what, options.kind), folder)
    then = "headstart check" + (f" --include {shlex.quote(options.to)}" if options.to else "")
    print(f"{folder}: written; read its comments, then run `{then}`")
    return 0


def home_of(to: str | None) -> Path:
    """The folder that `methods/`, `tasks/` and `papers/` stand in: the project's own, or one named from the current."""
    if to is None:
        return project_root()
    home = Path(expanded(to, "headstart new", "--to")).resolve()
    check_plain(str(home), "headstart new", "--to")
    if not home.parent.is_dir():
        raise bad("headstart new", "--to", to, f"there is no folder {home.parent}; make it or name another")
    return home


def template_of(what: str, kind: str | None) -> Path:
    """The folder of a template; raises UserError for a kind that has none, naming the nearest."""
    if what == "task":
        one_of(kind or KIND, kinds(), "headstart new", "--kind")
        return TEMPLATES / what / (kind or KIND)
    if kind is not None:
        raise bad("headstart new", "--kind", kind, f"a {what} has no kind; leave it out")
    return TEMPLATES / what


def kinds() -> list[str]:
    """The kinds of task that have a template."""
    return sorted(path.name for path in (TEMPLATES / "task").iterdir() if path.is_dir())


def copy_template(template: Path, folder: Path) -> None:
    """Write a template's files to `folder`, whose name takes NAME's place."""
    for file in own_files(template, deep=True):
        place = folder / file.relative_to(template)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.read_text(encoding="utf-8").replace("NAME", folder.name), encoding="utf-8")
