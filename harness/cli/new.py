"""`headstart new`: a folder to start from."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from harness.base.errors import UserError, bad
from harness.base.paths import own_files, project_root

TEMPLATES = Path(__file__).parent / "templates"


def new(options: Namespace) -> int:
    """Write a method or task folder under a new name, from the teaching template."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", options.name):
        raise bad("headstart new", "the name", options.name, "use small letters, digits and _, a letter first")
    folder = project_root() / f"{options.what}s" / options.name
    if folder.exists():
        raise UserError(f"{folder}: this folder exists already; choose another name")
    template = TEMPLATES / options.what
    for file in own_files(template, deep=True):
        place = folder / file.relative_to(template)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.read_text(encoding="utf-8").replace("NAME", options.name), encoding="utf-8")
    print(f"{folder}: written; read its comments, then run `headstart check`")
    return 0
