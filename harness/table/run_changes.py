"""What else changed between two result folders: settings, tie groups, and the answers to claims."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

from harness.record.folder import RunFolder
from harness.table.model import in_words

Groups = dict[tuple[str, str], dict[str, set[str]]]  # (task, budget) to each method's group


def warnings(a: RunFolder, b: RunFolder) -> list[str]:
    """Settings in which the runs differ, so that a difference may be of them rather than of the machines."""
    found = []
    protocols = [_said(its, "protocol") for its in (a, b)]
    if protocols[0] != protocols[1]:
        told = [", ".join(its) or "an unknown one" for its in protocols]
        found.append(f"A is of protocol {told[0]}, B of {told[1]}: the programs compute other numbers")
    vendors = [_said(its, "vendor") for its in (a, b)]
    if all(vendors) and vendors[0] != vendors[1]:
        told = [", ".join(its) for its in vendors]
        found.append(f"A is of a processor of {told[0]}, B of {told[1]}: last digits differ (docs/footguns.md)")
    models = [_models(its) for its in (a, b)]
    for task in sorted(set(models[0]) & set(models[1])):
        if models[0][task] != models[1][task]:
            told = ["; ".join(sorted(its[task])) for its in models]
            found.append(f"{task} has other backbones: A {told[0]}; B {told[1]}")
    return found


def _said(its: RunFolder, name: str) -> list[str]:
    """What the records' provenance says under a name, where it says something."""
    texts = its.records.provenance.dropna().unique()
    return sorted({str(said) for text in texts if (said := json.loads(text).get(name)) is not None})


def _models(its: RunFolder) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    each = its.records[["task", "model"]].dropna().drop_duplicates()
    for task, model in zip(each.task, each.model, strict=True):
        found[str(task)].add(in_words(json.loads(model)))
    return dict(found)


def changed_groups(a: RunFolder, b: RunFolder) -> list[str] | None:
    """Methods of both boards that are told apart from others than before; None where a folder has no board."""
    if not a.boards or not b.boards:
        return None
    one, other = _groups(a), _groups(b)
    return [line for key in one if key in other for line in _moved(key, one[key], other[key])]


def _groups(its: RunFolder) -> Groups:
    """For each method with a rank, who shares its group."""
    found: Groups = {}
    for file in its.boards:
        members: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        rows = [row for row in its.rows_of(file) if row["tie_group"]]
        for row in rows:
            members[file.stem, row["budget"]][row["tie_group"]].add(row["method"])
        for key, groups in members.items():
            found[key] = {method: group for group in groups.values() for method in group}
    return found


def _moved(key: tuple[str, str], one: Mapping[str, set[str]], other: Mapping[str, set[str]]) -> Iterator[str]:
    """A line for each group of A, as far as B ranks its methods, that B does not have."""
    both = set(one) & set(other)
    before, after = ({frozenset(group & both) for group in its.values()} - {frozenset()} for its in (one, other))
    for group in sorted(before - after, key=sorted):
        now = sorted({frozenset(other[method] & both) for method in group}, key=sorted)
        told = " and ".join(f"({', '.join(sorted(its))})" for its in now)
        yield f"{key[0]} {key[1]}: ({', '.join(sorted(group))}) became {told}"


def changed_answers(a: RunFolder, b: RunFolder) -> list[str] | None:
    """Claims of both runs whose answer is another; None where a folder has no answers."""
    if not a.answers or not b.answers:
        return None
    one, other = _answers(a), _answers(b)
    return [f"{name}: {one[name]} became {other[name]}" for name in one if name in other and one[name] != other[name]]


def _answers(its: RunFolder) -> dict[str, str]:
    rows = [row for file in its.answers for row in its.rows_of(file)]
    return {f"{row['paper']}/{row['claim']}": row["answer"] for row in rows}
