"""Plans a backbone: where its checkpoint stands, and the fingerprint of what it is made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.backbone.anatomy import added_anatomies, anatomy_of
from harness.backbone.card import read_card
from harness.backbone.files import check_folder, read_files
from harness.base.errors import NotHere, bad
from harness.base.fingerprint import fingerprint, hash_file
from harness.contracts.config import BackboneSpec, LocalBackbone, Pretrained
from harness.contracts.model import one_of
from harness.contracts.plan import SHORT, BackboneJob, DataJob
from harness.data.build import domain_content
from harness.data.texts import files_of_text, text_files
from harness.plan.request import Request, computed


class BackbonePlanner:
    """Makes the backbone jobs, from the data jobs and the fingerprints of their domains."""

    def __init__(self, request: Request, data: dict[str, DataJob], prints: dict[str, dict[str, str]]) -> None:
        self.request, self.data, self.prints = request, data, prints

    def plan(self, name: str) -> BackboneJob:
        """The job of one backbone; raises UserError where its corpora or its folder do not exist."""
        spec = self.request.config.backbones[name]
        # Not where a local checkpoint lies: its files are hashed below, and the same files may move.
        content: dict[str, Any] = {"spec": spec.model_dump(exclude={"path", "parameters", "texts"})}
        without = {"path", "corpora", "texts", "parameters"}  # a guess of its size makes it no other
        recipe: dict[str, Any] = {"spec": spec.model_dump(exclude=without, exclude_defaults=True)}
        corpora: dict[str, list[str]] = {}
        read: dict[str, str] = {}
        card = None
        described = set(added_anatomies())  # a checkpoint of the hub, not yet here, may be of any
        if isinstance(spec, Pretrained):
            anatomy_of(spec.architecture, self.request.where, f"backbones.{name}.architecture")
            described = {spec.architecture}
            texts = self._texts(name, spec)
            content |= texts
            recipe |= texts
            read = dict(zip(spec.texts, map(fingerprint, texts.values()), strict=True))
            for task, roles in spec.corpora.items():
                one_of(task, list(self.request.config.tasks), self.request.where, f"backbones.{name}.corpora")
                job = self.data[task]
                domains = [domain for domain, role in job.roles.items() if role in roles]
                corpora[task] = [job.folders[domain] for domain in domains]
                content[f"corpus {task}"] = [self.prints[task][domain] for domain in domains]
                recipe[f"corpus {task}"] = [job.source, *(self._text(task, job, domain) for domain in domains)]
        if isinstance(spec, LocalBackbone):
            folder, architecture = self._folder(name, spec)
            described, card = {architecture}, read_card(folder)
            content["files"] = recipe["files"] = files_print(folder)
        if added := {key: entry.model_dump() for key, entry in added_anatomies().items() if key in described}:
            content["anatomy"] = added  # the harness's own entries stand for its protocol
        key = computed(content)
        made = str(self.request.output / "backbones" / f"{name}-{key[:SHORT]}")
        return BackboneJob(
            name=name,
            spec=spec.model_dump(),
            folder=made,
            fingerprint=key,
            corpora=corpora,
            identity=card.identity if card else fingerprint(recipe),
            own=card is not None or self._is_own(spec),
            texts=read,
        )

    def _is_own(self, spec: BackboneSpec) -> bool:
        """Whether the run pretrains a backbone, on embedded text alone."""
        if not isinstance(spec, Pretrained) or spec.texts:
            return False
        return all(self.data[task].source == "embedded" for task in spec.corpora)

    def _texts(self, name: str, spec: Pretrained) -> dict[str, Any]:
        """What stands in the folders of one's own text; raises UserError where nothing at all is read."""
        if not spec.corpora and not spec.texts:
            mend = "it names no task, and `texts` no folder; name what it is pretrained on"
            raise bad(self.request.where, f"backbones.{name}.corpora", spec.corpora, mend)
        return {
            f"text {place}": named_hashes(text_files(Path(read), self.request.where, f"backbones.{name}.texts.{place}"))
            for place, read in enumerate(spec.texts)
        }

    def _text(self, task: str, job: DataJob, domain: str) -> list[Any]:
        """What a corpus reads of a domain: not the code that reads it, of which an edit makes no other backbone."""
        return [domain, domain_content(self.request.tasks[task], job.source, domain)]

    def _folder(self, name: str, spec: LocalBackbone) -> tuple[Path, str]:
        """The folder of a local checkpoint and its architecture; raises UserError where it is none."""
        folder = Path(spec.path)
        if not folder.is_dir():
            mend = "no such folder exists; name a checkpoint directory"
            raise NotHere(str(bad(self.request.where, f"backbones.{name}.path", spec.path, mend)))
        return folder, check_folder(folder)


def files_print(folder: Path) -> str:
    """The hash of a checkpoint's files; weights by content, so that a replaced file is seen."""
    return fingerprint(named_hashes(read_files(folder)))


def texts_print(folder: Path) -> str:
    """The hash of a folder's text, by which a job sees that what was planned still stands there."""
    return fingerprint(named_hashes(files_of_text(folder)))


def named_hashes(files: Iterable[Path]) -> list[tuple[str, str]]:
    """The names of files and the hashes of what they hold."""
    return [(path.name, hash_file(path)) for path in files]
