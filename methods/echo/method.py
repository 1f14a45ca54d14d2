"""The partner's last turn as the reply."""

from typing import Any

from harness.contracts.adaptation import Control


class Echo(Control):
    """Every turn comes back as it was said."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[Any]:
        return [{"replies": [partner for partner, _ in example["turns"]]} for example in test]
