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
        self._shared = _fields(shared)

    def fingerprint(self, own: Mapping[str, Any]) -> str:
        """That of what is shared together with `own`, whose values count where both have one."""
        fields = self._shared | _fields(own)
        return _digits("{" + ",".join(fields[name] for name in sorted(fields)) + "}")


def _fields(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a mapping as canonical JSON, by name."""
    return {name: f"{canonical(name)}:{canonical(value)}" for name, value in values.items()}


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
