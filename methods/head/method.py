"""Head tuning: the row HT of Gheini et al. (2022)."""

from harness.backbone.backbone import Backbone
from harness.contracts.adaptation import Adaptation


class Head(Adaptation):
    """The head trains and the body is frozen, which is how every backbone arrives."""

    def attach(self, backbone: Backbone) -> None:
        """Nothing to add."""
