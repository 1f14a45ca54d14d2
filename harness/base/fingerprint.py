"""The hash of what can change a number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """A value as canonical JSON."""
    return CANONICAL.encode(value)


def fingerprint(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    return _digits(canonical(value))


class Content:
    """A mapping of which many fingerprints are taken that differ in few of its values: the others are encoded once."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = {
            name: f"{canonical(name)}:{canonical(value)}".replace("%", "%%") for name, value in shared.items()
        }
        self._forms: dict[tuple[str, ...], tuple[str, list[str]]] = {}

    def fingerprint(self, own: Mapping[str, Any]) -> str:
        """That of what is shared together with `own`, whose values count where both have one."""
        names = tuple(own)
        if names not in self._forms:
            self._forms[names] = self._form(names)
        form, order = self._forms[names]
        return _digits(form % tuple(canonical(own[name]) for name in order))

    def _form(self, names: tuple[str, ...]) -> tuple[str, list[str]]:
        """The whole as canonical JSON with a place for the value of each of `names`, and these in their order there."""
        fields = self._shared | {name: canonical(name).replace("%", "%%") + ":%s" for name in names}
        return "{" + ",".join(fields[name] for name in sorted(fields)) + "}", sorted(names)


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def hash_files(paths: Iterable[Path], root: Path) -> str:
    """The fingerprint of several files' names (relative to `root`) and contents."""
    return fingerprint(sorted((str(path.relative_to(root)), hash_file(path)) for path in paths))
