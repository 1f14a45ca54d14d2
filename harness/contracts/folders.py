"""Where methods, tasks and papers stand: below the project, and below other folders that a configuration includes.

What is included holds for the process until it is said anew. A job of the DAG reads it from the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import bad
from harness.base.lines import Where
from harness.base.paths import check_plain, expanded, left_by_tools, project_root

PARTS = ("methods", "tasks", "papers")
NEEDED = ("methods", "tasks")  # without them a folder is no project; it need not have papers
_included: list[Path] = []  # by the configuration at hand
_asked: list[Path] = []  # on the command line


def include(folders: Sequence[str]) -> None:
    """Look into these folders too, and no longer into those of another configuration."""
    _included[:] = map(Path, folders)


def ask_for(folders: Sequence[str]) -> None:
    """Look into these folders, named from the current one, whatever the configuration says of others."""
    _asked[:] = [Path(included(folder, "headstart", "--include", Path())) for folder in folders]


def included(text: str, where: Where, field: str, base: Path) -> str:
    """The folder that `text` names from `base`, its whole path; raises UserError where it holds nothing to include."""
    folder = (base / expanded(text, where, field)).resolve()
    check_plain(str(folder), where, field)
    if not folder.is_dir():
        raise bad(where, field, text, f"there is no folder {folder}; make it or name another")
    if not any((folder / part).is_dir() for part in PARTS):
        raise bad(where, field, text, f"{folder} has none of {', '.join(PARTS)} in it; name the folder that holds them")
    return str(folder)


def asked() -> list[str]:
    """The folders that the command line names, their whole paths."""
    return [str(folder) for folder in _asked]


def roots() -> list[Path]:
    """The folders that are looked into, the project's own first."""
    return list(dict.fromkeys([project_root(), *_included, *_asked]))


def found_in(part: str, must_hold: str, root: Path | None = None) -> list[Path]:
    """The folders of a part, of `root` alone where one is given; raises UserError where two have one name."""
    found: dict[str, Path] = {}
    for place in [root] if root else roots():
        if not (place / part).is_dir() and (part not in NEEDED or place in (*_included, *_asked)):
            continue
        for folder in plug_folders(place / part, must_hold):
            if other := found.get(folder.name):
                raise bad(folder, "the folder's name", folder.name, f"{other} has this name too; rename one of them")
            found[folder.name] = folder
    return list(found.values())


def plug_folders(parent: Path, must_hold: str) -> list[Path]:
    """The folders in `parent` that hold a file; raises UserError where one holds others but not that."""
    if not parent.is_dir():
        raise bad(parent, "the folder", parent.name, "it does not exist; run in the project's own folder")
    folders = [path for path in _own(parent) if path.is_dir() and not path.name.startswith("_")]
    for folder in folders:
        check_plain(folder.name, folder, "the folder's name")
        if not (folder / must_hold).is_file() and _own(folder):
            raise bad(folder, "the folder", folder.name, f"{must_hold} is missing in it; write it or remove the folder")
    return [folder for folder in folders if (folder / must_hold).is_file()]


def _own(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not left_by_tools(path.name))
