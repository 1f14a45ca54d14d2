"""How many parameters every method trains on the papers' own backbones, written to docs/parameters.md.

The models are built without weights from their configurations, so nothing is downloaded and nothing takes
memory. Methods are discovered; the papers' rows and sizes stand in paper_sizes.yaml beside this script.

    python benchmarks/parameters.py
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from harness.backbone.backbone import Backbone
from harness.backbone.load import outline
from harness.backbone.matching import attach_outline, body_parameters, match, trained_in_body
from harness.base.errors import Unsupported, UserError
from harness.base.files import write_text
from harness.base.yaml_file import read_yaml
from harness.contracts.adaptation import Adaptation, sizes_of
from harness.contracts.discover import Method, methods
from harness.contracts.method import Kind
from harness.contracts.model import validate
from harness.learn.save import stored_bytes
from harness.parts import build
from harness.table.markdown import line

PAGE, SIZES = Path("docs/parameters.md"), Path(__file__).with_name("paper_sizes.yaml")
HEAD = """# How many parameters train

Written by `python benchmarks/parameters.py`; a test fails where this page is not what the script writes today.
The backbones are built from their configurations without weights.

- *trained* counts what trains in and beside the body. The task's head trains under every method and is left out.
- *share* is *trained* over the parameters of the body as the harness reads it.
- *stored* is what one adapted domain keeps on disk, the head included.
"""
ROWS = """## The papers' rows

What a source prints beside what our code counts under the setting named. Of the claims, [P] marks the paper's own
and [N] our notes, where the paper's text was not seen. Everything in the other columns is our arithmetic. *reaches
it at* is the size at which our method comes nearest to a claim that is a number, and the share it then trains.
"""


@dataclass(frozen=True)
class Model:
    """A backbone of a paper, as a configuration."""

    name: str
    kind: Kind
    config: Any
    source: str

    def outline(self) -> Backbone:
        """The backbone without weights; a copy, since to build one even of no weights takes ten times as long."""
        return copy.deepcopy(self._first)

    @cached_property
    def _first(self) -> Backbone:
        return outline(self.config, self.kind)

    @cached_property
    def body(self) -> int:
        """How many parameters the body has."""
        return body_parameters(self.outline())


known_methods = cache(methods)  # reading every method.yaml again for every row would take most of the time


def models(content: dict[str, Any]) -> dict[str, Model]:
    """The models that paper_sizes.yaml describes."""
    return {
        name: Model(name, entry["kind"], AutoConfig.for_model(**entry["config"]), entry["source"])
        for name, entry in content.items()
    }


def adaptations_of(method: Method, options: dict[str, Any]) -> list[Adaptation]:
    """A method's adaptations with some options replaced; raises UserError where none has an option."""
    parts = [part for part in build.adaptations_of(method) if isinstance(part, Adaptation)]
    known = [option for part in parts for option in type(part).model_fields]
    for option in options:
        if option not in known:
            raise UserError(f"`{method.id}` has no option {option}")
    return [
        validate(
            type(part),
            part.model_dump(exclude_unset=True)
            | {name: value for name, value in options.items() if name in type(part).model_fields},
            SIZES.name,
            method.id,
        )
        for part in parts
    ]


def method_table(model: Model) -> list[str]:
    """Every discovered method that can learn on the model, at its method.yaml; those that adapt alike counted once."""
    body = model.body
    counted: dict[tuple[Any, ...], tuple[int, float]] = {}
    lines = [f"## {model.name}: {body / 1e6:.2f}M in the body", "", f"Configuration: {model.source}.", ""]
    lines += ["| method | options | trained | share | stored (MiB) |", "|---|---|---:|---:|---:|"]
    for method in known_methods().values():
        fits = not method.spec.kinds or model.kind in method.spec.kinds
        parts = adaptations_of(method, {})
        if not fits or not parts or not method.spec.train.steps:
            continue
        alike = tuple((type(part), repr(part)) for part in parts)
        try:
            if alike not in counted:
                backbone = attach_outline(parts, model.outline())
                counted[alike] = trained_in_body(backbone), stored_bytes(backbone) / 2**20
        except Unsupported as refused:
            lines.append(f"| `{method.id}` | {_options(method)} | – | {refused} | – |")
            continue
        trained, stored = counted[alike]
        lines.append(
            f"| `{method.id}` | {_options(method)} | {trained:,} | {_percent(trained / body)} | {stored:.2f} |"
        )
    return [*lines, ""]


def paper_row(row: dict[str, Any], known: dict[str, Model]) -> str:
    """A row of a paper; where our method does not exist or refuses the setting, the row says so by name."""
    model, options = known[row["model"]], row.get("options", {})
    setting = f"`{row['method']}`" + (" " + ", ".join(f"{name} {value}" for name, value in options.items()))
    start = [
        f"{row['paper']}, {row['place']}",
        row["row"],
        row["model"],
        setting.strip(),
        f"{row['claimed']} [{row['source']}]",
    ]
    if row["method"] not in known_methods():
        return line([*start, f"missing: there is no method `{row['method']}`", "", row.get("why", "")])
    try:
        parts = adaptations_of(known_methods()[row["method"]], options)
        backbone = attach_outline(parts, model.outline())
    except (UserError, Unsupported) as refused:
        return line([*start, f"missing: {refused}", "", row.get("why", "")])
    trained = trained_in_body(backbone)
    if row.get("count_head"):
        trained = sum(value.numel() for value in backbone.trained().values())
    return line([*start, _percent(trained / model.body), _reaching(row["claimed"], parts, model), row.get("why", "")])


def _reaching(claimed: str, parts: list[Adaptation], model: Model) -> str:
    """The size at which the parts train the claimed share, where both a size and a number are there."""
    if not sizes_of(parts) or not claimed[0].isdigit():
        return ""
    found = match(parts, float(claimed.rstrip("%")) / 100, model.outline)
    return f"{found.sized}: {_percent(found.share)}"


def page() -> str:
    """The whole page."""
    content = read_yaml(SIZES)
    known = models(content["models"])
    parts = [HEAD]
    for model in known.values():
        parts += method_table(model)
    columns = ["source", "row", "backbone", "our setting", "claimed", "our share", "reaches it at", "what explains it"]
    parts += [ROWS, line(columns), line(["---"] * 4 + ["---:"] * 2 + ["---"] * 2)]
    parts += [paper_row(row, known) for row in content["rows"]]
    return "\n".join(parts) + "\n"


def _options(method: Method) -> str:
    """The method's adaptations as method.yaml has them."""
    told = []
    for name, options in method.spec.adapt.items():
        told.append(" ".join([name, ", ".join(f"{option} {value}" for option, value in options.items())]).strip())
    return " + ".join(told)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%" if share < 1 else f"{100 * share:.0f}%"


def main() -> None:
    """Write the page."""
    write_text(PAGE, page())


if __name__ == "__main__":
    main()
