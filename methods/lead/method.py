"""The first sentence of the document as its summary."""

import re
from typing import Any

from harness.contracts.adaptation import Control


class Lead(Control):
    """Up to the first full stop, question or exclamation mark that ends a word."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[Any]:
        return [re.split(r"(?<=[.!?])\s", example["document"], maxsplit=1)[0] for example in test]
