"""What a meta-learner may be asked for. No torch here: a plan reads it."""

from typing import Literal

Memory = Literal["store", "recompute"]
HeadHandling = Literal["carry", "meta", "fresh"]
