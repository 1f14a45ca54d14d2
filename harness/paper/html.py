"""A sheet as an HTML table: headers with scope, kinds as classes and words, everything escaped."""

from __future__ import annotations

from html import escape

from harness.paper.sheet import HEAD, Entry, Line, Sheet


def to_html(sheet: Sheet) -> str:
    """The table alone, with its notes below it; it stands by itself or in a page."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (*HEAD, *sheet.columns))
    parts = ['<table class="sheet">', f"<caption>{escape(sheet.title)}</caption>", f"<thead><tr>{head}</tr></thead>"]
    for group, block in sheet.grouped():
        parts.append("<tbody>")
        if group:
            span = len(HEAD) + len(sheet.columns)
            parts.append(f'<tr class="group"><th scope="rowgroup" colspan="{span}">{escape(group)}</th></tr>')
        parts += [_line(line) for line in block]
        parts.append("</tbody>")
    parts.append("</table>")
    if sheet.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in sheet.notes)}</ul>')
    return "\n".join(parts) + "\n"


def _line(line: Line) -> str:
    first = escape(line.row) if line.heads else ""
    head = f'<th scope="row">{first}</th><th scope="row">{escape(line.name)}</th>'
    return f'<tr class="{line.whose}">{head}{"".join(_entry(entry) for entry in line.entries)}</tr>'


def _entry(entry: Entry) -> str:
    why = f' title="{escape(entry.why, quote=True)}"' if entry.why else ""
    return f'<td class="{entry.kind.replace(" ", "-")}"{why}>{escape(entry.shown)}</td>'
