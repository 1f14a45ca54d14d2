"""The record's own words."""

from typing import Any

from harness.contracts.adaptation import Control
from harness.data.records import NEXT, OF, ROW


class CopyRecord(Control):
    """Names and values in the order of the record, without the signs between them."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[str]:
        return [_words(example["record"]) for example in test]


def _words(record: str) -> str:
    for sign in (ROW, NEXT, OF):  # the longest first, since it holds the next one
        record = record.replace(sign, " ")
    return record
