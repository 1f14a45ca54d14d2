"""Paths: where the project stands, what a person writes for one, and what tools leave beside a person's files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import harness
from harness.base.errors import bad
from harness.base.lines import Where

PACKAGE = Path(harness.__file__).parent
VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([^}]+)\})")
PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")  # what a part of a name of files may be written with
# What file managers and the Python interpreter leave, in small letters, and how copies that editors keep end.
LEFT_NAMES = ("thumbs.db", "desktop.ini", "icon\r", "__pycache__")
LEFT_ENDINGS = ("~", ".bak", ".orig", ".rej", ".swp", ".swo", ".pyc")


def project_root() -> Path:
    """The folder that holds `methods/` and `tasks/`: the current one, else the one the program is in."""
    here = Path.cwd()
    return here if (here / "methods").is_dir() and (here / "tasks").is_dir() else PACKAGE.parent


def expanded(text: str, where: Where, field: str) -> str:
    """`text` with `$NAME`, `${NAME}` and a leading `~` written out, as a shell does.

    Raises UserError where a variable is not set or a home folder is not known.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if not os.environ.get(name):  # set to nothing, it would turn $NAME/runs into a folder at the root
            raise bad(where, field, text, f"the environment variable {name} is not set; set it or write the path out")
        return os.environ[name]

    path = os.path.expanduser(VARIABLE.sub(value, text))
    if path.startswith("~"):
        raise bad(where, field, text, "no such home folder is known; write the path out")
    return path


def check_plain(name: str, where: Where, field: str) -> None:
    """Raise UserError where Snakemake could not use a path with `name` in it: it reads braces as wildcards."""
    if any(letter in "{}" or letter < " " for letter in name):
        raise bad(
            where, field, name, "Snakemake reads { and } as wildcards; name it without them and without line ends"
        )


def settle_home() -> None:
    """Where no home is known, name one that cannot be written: some libraries end with an error without any."""
    if os.path.expanduser("~").startswith("~"):
        os.environ["HOME"] = os.devnull


def left_by_tools(name: str) -> bool:
    """Whether a file or folder of that name is hidden, a backup copy or a cache: no part of what a person wrote."""
    lower = name.lower()
    hidden = name.startswith(".") or (name.startswith("#") and name.endswith("#"))
    return hidden or lower in LEFT_NAMES or lower.endswith(LEFT_ENDINGS)


def own_files(folder: Path, ending: str = "", deep: bool = False) -> list[Path]:
    """The files in `folder` that a person put there, and where `deep` those below it; none where it is absent."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if left_by_tools(path.name):
            continue
        if path.is_file() and path.name.endswith(ending):
            found.append(path)
        elif deep and path.is_dir() and not path.is_symlink():  # a link may lead back up
            found += own_files(path, ending, deep)
    return found
