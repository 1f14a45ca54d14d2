"""Questions put to a backbone: what it gives, whether it sees the future, whether its cache is exact."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.backbone.backbone import Backbone
from harness.learn.batches import Batch

LENGTH = 10


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    """Ordinary tokens, none of them special."""
    return torch.randint(5, 300, (rows, length), generator=torch.Generator().manual_seed(seed))


def batch_for(backbone: Backbone) -> Batch:
    """Two rows, the second with padding at its end, and the decoder's own input where there is one.

    Of a text that has one answer for all of it, padding and the end are signs, by which a model finds them.
    """
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    mask[1, 7:] = 0
    batch = {"input_ids": tokens(2, LENGTH), "attention_mask": mask}
    if backbone.kind == "sequence-classification":
        config, ids = backbone.transformer.config, batch["input_ids"]
        ids[0, -1] = ids[1, 6] = config.eos_token_id
        ids[1, 7:] = config.pad_token_id
    return batch | ({"decoder_input_ids": tokens(2, LENGTH, 1)} if backbone.kind == "summarization" else {})


def labelled(backbone: Backbone) -> Batch:
    """A batch with labels, those of padding ignored."""
    batch = batch_for(backbone)
    if backbone.kind == "sequence-classification":
        rows = backbone.transformer.config.num_labels
        return batch | {"labels": torch.tensor([[0, rows, row % rows] for row in range(2)])}
    ids = batch.get("decoder_input_ids", batch["input_ids"])
    labels = ids % 7 if backbone.kind == "token-classification" else ids.clone()
    if backbone.kind != "summarization":
        labels = labels.masked_fill(batch["attention_mask"] == 0, -100)
    return batch | {"labels": labels}


@torch.no_grad()
def logits(backbone: Backbone, batch: Batch | None = None) -> Tensor:
    """The logits of a batch."""
    backbone.eval()
    found: Tensor = backbone(**(batch or batch_for(backbone))).logits
    return found


def future_seen(backbone: Backbone) -> float:
    """The most that an earlier logit moves when later tokens change; later logits must move."""
    batch = batch_for(backbone)
    batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    name = "decoder_input_ids" if "decoder_input_ids" in batch else "input_ids"
    base, other = logits(backbone, batch), tokens(2, LENGTH, 2)
    other = torch.where(other == batch[name], other + 1, other)
    largest = 0.0
    for place in range(1, LENGTH):
        changed = torch.cat([batch[name][:, :place], other[:, place:]], dim=1)
        moved = (logits(backbone, {**batch, name: changed}) - base).abs()
        assert moved[:, place:].amax() > 1e-3, f"changing the tokens from {place} on changes nothing at all"
        largest = max(largest, float(moved[:, :place].max()))
    return largest


@torch.no_grad()
def generated(backbone: Backbone, steps: int = 8) -> tuple[Tensor, Tensor, Batch]:
    """Greedy search with the cache: the tokens, the logits that chose them, and the batch that was read."""
    backbone.eval()
    batch = batch_for(backbone)
    del batch["decoder_input_ids"]
    options: dict[str, Any] = {"num_beams": 1, "do_sample": False, "max_new_tokens": steps, "min_new_tokens": steps}
    made = backbone.model.generate(**batch, **options, return_dict_in_generate=True, output_logits=True)
    return made.sequences, torch.stack(made.logits, dim=1), batch


def cache_error(backbone: Backbone) -> float:
    """The largest difference between logits of generation with the cache and of teacher forcing."""
    made, chosen_by, batch = generated(backbone)
    forced = logits(backbone, {**batch, "decoder_input_ids": made[:, :-1]})
    assert made.shape[1] == chosen_by.shape[1] + 1
    return float((forced - chosen_by).abs().max())


@torch.no_grad()
def beams(backbone: Backbone, returned: int) -> tuple[Any, list[float], list[float]]:
    """A search with four beams, of which some are returned: what it gave, their scores, and their forced likelihoods.

    Beams are reordered in the cache, so the two agree where whatever lies there or beside it serves every beam alike.
    """
    backbone.eval()
    batch = batch_for(backbone)
    del batch["decoder_input_ids"]
    options: dict[str, Any] = {"num_beams": 4, "do_sample": False, "max_new_tokens": 8, "length_penalty": 0.0}
    found = backbone.model.generate(
        **batch, **options, num_return_sequences=returned, return_dict_in_generate=True, output_scores=True
    )
    pad, end = backbone.model.config.pad_token_id, backbone.model.config.eos_token_id
    forced = []
    for place, made in enumerate(found.sequences):
        made = made[made != pad]
        mine = {name: value[place // returned : place // returned + 1] for name, value in batch.items()}
        scores = logits(backbone, {**mine, "decoder_input_ids": made[None, :-1]}).log_softmax(-1)[0]
        likelihoods = scores.gather(1, made[1:, None])[:, 0]
        if len(made) == 9 and made[-1] == end:
            likelihoods = likelihoods[:-1]  # the end is forced at the last step, at no cost
        forced.append(float(likelihoods.sum()))
    return found, found.sequences_scores.tolist(), forced
