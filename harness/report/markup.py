"""HTML as text: every word that goes into the page passes through here and is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Html:
    """Text that is markup already. All else that is put into a page is escaped."""

    text: str

    def __str__(self) -> str:
        return self.text


Content = str | Html


def text_of(content: Content | Iterable[Content]) -> str:
    """Contents one after another, what is no markup escaped."""
    if isinstance(content, Html):
        return content.text
    if isinstance(content, str):
        return escape(content, quote=True)
    return "".join(text_of(one) for one in content)


def tag(name: str, *content: Content, **attributes: str | None) -> Html:
    """An element; an attribute `class_` is `class`, and one that is None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{text_of(content)}</{name}>")


def join(parts: Iterable[Content], between: str = "\n") -> Html:
    """Parts with a text between them."""
    return Html(between.join(text_of(part) for part in parts))


def rows(
    caption: Content,
    columns: Sequence[str],
    lines: Iterable[Sequence[Content]],
    classes: Sequence[str] = (),
    methods: Sequence[str | None] = (),
    words: int = 1,
    kind: str | None = None,
) -> Html:
    """A table in a box that scrolls; the first cell of a line is its header, the first `words` columns are words.
    `kind` is the table's class.

    `classes` and `methods` say for each line its class and whose it is.
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = []
    for place, line in enumerate(lines):
        cells = [
            tag("th", one, scope="row") if not at else tag("td", one, class_="word" if at < words else None)
            for at, one in enumerate(line)
        ]
        its = classes[place] if place < len(classes) else ""
        whose = methods[place] if place < len(methods) else None
        body.append(tag("tr", *cells, class_=its or None, data_method=whose))
    inside = [tag("caption", caption), tag("thead", head), tag("tbody", join(body))]
    return tag(
        "div",
        tag("table", *inside, class_=kind),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=plain(caption),
    )


def plain(content: Content) -> str:
    """A caption as a label; markup has none."""
    return content if isinstance(content, str) else "table"


def bullets(items: Iterable[Content]) -> Html:
    """A list."""
    return tag("ul", *(tag("li", item) for item in items))


def folded(summary: Content, *content: Content, kind: str | None = None, id_: str | None = None) -> Html:
    """What opens without JavaScript; `kind` is its class."""
    return tag("details", tag("summary", summary), *content, class_=kind, id=id_)
