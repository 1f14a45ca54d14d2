"""YAML as the project reads it: the core schema of YAML 1.2, in which `no` is a text, and keys are always texts."""

from __future__ import annotations

import copy
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from harness.base.errors import UserError, bad

CORE = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|(0|[1-9][0-9]*)(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "merge": (r"<<", "<"),
}
# A leading zero makes a number octal in YAML 1.1, as 0o does in 1.2. PyYAML knows the other odd scalars of 1.1.
OCTAL = r"[-+]?0(o[0-7]+|[0-9]+)"

HINTS = {  # part of what PyYAML says, and what is often meant
    "'\\t' that cannot start": "indent with spaces: YAML allows no tab there",
    "that cannot start": "put a text that begins with this character in quotes",
    "undefined alias": "put a text that begins with * in quotes",
    "alphabetic or numeric": "put a text that begins with * or & in quotes",
    "mapping values are not allowed": "indent keys alike, and put a text with a colon in quotes",
    "expected ',' or": "close the bracket, and put a text that begins with a bracket in quotes",
    "expected <block end>": "indent alike, and put a text that begins with a bracket or a quote in quotes",
    "the node content": "put a text that begins with a bracket in quotes",
    "the tag": "remove it, or put a text that begins with ! in quotes",
    "a line break": "put a text that begins with > or | in quotes",
    "another document": "write one document a file: remove the line ---",
    "end of stream": "close the quotes",
    "inside of itself": "write out what is meant",
    "a key that is no text": "write a text, and put one that begins with a bracket in quotes",
}


class Odd(str):
    """A plain scalar that versions of YAML read in different ways, as no, 010, 1_000 or 1:30. Here it is a text."""


class Loader(yaml.SafeLoader):
    """YAML in which only true and false are truth values, only decimal numbers numbers, and every key a text.

    A key that stands twice is an error; PyYAML keeps the last without a word.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """The mapping, before merge keys are filled in: those may repeat a key."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key.start_mark)
            if key.value in seen:
                raise _Twice(key, value)
            seen.add(key.value)
            if key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"
        return node

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The node, unless it has a tag, which says how to read it, or is an alias inside of what it stands for."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        tag, mark = getattr(event, "tag", None), event.start_mark
        if tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise yaml.composer.ComposerError(None, None, f"the tag {tag!r}", mark)
        node: Any = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent) and not node.end_mark:
            raise yaml.composer.ComposerError(None, None, f"*{event.anchor} inside of itself", mark)
        return node


class _Twice(yaml.YAMLError):
    """A key stands twice in one mapping."""

    def __init__(self, key: yaml.ScalarNode, value: yaml.Node) -> None:
        super().__init__(f"{key.value!r} stands twice")
        self.key, self.line = key.value, key.start_mark.line + 1
        self.value = value.value if isinstance(value, yaml.ScalarNode) else "a second block"


def _odd(loader: Loader, node: yaml.ScalarNode) -> Odd:
    return Odd(node.value)


for _name, (_pattern, _first) in CORE.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), list(_first))
for _letter, _resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items():
    for _tag, _regexp in _resolvers:
        if _tag.endswith((":bool", ":int", ":float")):
            Loader.add_implicit_resolver("!odd", _regexp, [_letter])
Loader.add_implicit_resolver("!odd", re.compile(f"(?:{OCTAL})$"), list("-+0"))
Loader.add_constructor("!odd", _odd)
yaml.SafeDumper.add_representer(Odd, yaml.SafeDumper.represent_str)  # in quotes, so that every reader sees a text


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises UserError where it is missing or not a mapping."""
    if not path.is_file():
        raise bad(path, "the file", path.name, "it does not exist; create it or name another")
    content = read_value(read_text(path), path)
    if not isinstance(content, dict):
        raise bad(path, "the file", content, "write a mapping of keys to values")
    return content


def read_text(path: Path) -> str:
    """The text of a file that a person wrote, without the mark that some editors begin it with."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        odd = error.object[error.start : error.end]
        raise bad(f"{path}: line {line}", "the text", odd, "it is not UTF-8; save the file as UTF-8") from None


def read_value(text: str, where: Path | str) -> Any:
    """What a YAML text says; raises UserError with the line where it is no YAML."""
    try:
        return copy.deepcopy(_parsed(text))  # whoever gets it may change it
    except _Twice as error:
        raise bad(
            f"{where}: line {error.line}", f"the key {error.key!r}", error.value, "it stands twice; remove one"
        ) from None
    except yaml.YAMLError as error:
        raise _broken(text, where, error) from None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    """Parsed once: the folders are discovered again for every plan, and parsing takes a second for all of them."""
    return yaml.load(text, Loader)


def _broken(text: str, where: Path | str, error: yaml.YAMLError) -> UserError:
    if isinstance(error, yaml.reader.ReaderError):
        line, problem = text[: error.position].count("\n") + 1, f"the character {chr(error.character)!r}"
        return bad(f"{where}: line {line}", "the YAML", problem, "remove the character: a text file has none")
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    hint = next((f": {hint}" for part, hint in HINTS.items() if part in problem), "")
    place = f"{where}: line {mark.line + 1}" if mark else where
    return bad(place, "the YAML", problem, f"mend this line or the one above{hint}")
