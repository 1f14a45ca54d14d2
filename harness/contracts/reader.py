"""How the files of a local source are read: the block `reader` of a task.yaml, told apart by its `format`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.contracts.model import Strict

Scheme = Literal["iob2", "iob1", "bioes", "bilou", "io"]
DOMAIN = "{domain}"  # stands in a file's name for the domain
WHOLE = 100  # of which a split's share is a part
Name = Annotated[str, Field(min_length=1)]


class Files(Strict):
    """A domain's files. They lie in the domain's folder, or beside such folders where their names hold `{domain}`."""

    train: Name
    dev: Name | None = None
    test: Name
    unlabeled: Name | None = Field(None, description="text without answers; the train split's where absent")


class Tagging(Strict):
    """How tags and labels are written. Ours are IOB2 of the task's own types, and the names of its classes."""

    scheme: Scheme = "iob2"
    types: dict[str, str | None] = Field({}, description="their entity types to ours; null drops a type's entities")
    names: list[str] | None = Field(None, description="the tag that each number stands for, where tags are numbers")
    labels: dict[str, str] = Field({}, description="their names of the classes to ours, where these differ")


class Reader(Tagging):
    """What all formats have: the files, whose names each format says, and how tags are written in them."""

    folder: Name | None = Field(None, description="the domain's folder, where that is not named as the domain")
    shares: dict[Literal["train", "dev", "test"], Annotated[int, Field(ge=1)]] = Field(
        {}, description="how many of a hundred of its file's examples a split takes, drawn by the hash of their input"
    )
    holds: ClassVar[tuple[str, ...]] = ()  # the fields that the format holds; none: any that are columns
    names_in: ClassVar[str] = "columns"  # the key of the block that says where each field is
    strings_only: ClassVar[bool] = False  # whether a list is a string here, its items parted by spaces

    @field_validator("shares")
    @classmethod
    def _fit_in_a_whole(cls, value: dict[str, int]) -> dict[str, int]:
        if sum(value.values()) > WHOLE:
            raise ValueError(f"they are {sum(value.values())} of {WHOLE} together; lower one")
        return value

    def share_of(self, split: str) -> range:
        """The part of 0 to 99 that is a split's; all of it where the reader divides no file."""
        begin = 0
        for name, share in self.shares.items():
            if name == split:
                return range(begin, begin + share)
            begin += share
        return range(WHOLE)

    @property
    def names_all(self) -> bool:
        """Whether the block has to name the column of every field, since the files cannot."""
        return False

    def named(self, split: str) -> Mapping[str, str | int]:
        """The columns that the block names for a split, by our fields."""
        return {}

    def file_names(self, split: str, fields: Sequence[str]) -> list[str]:
        """The names of the files that hold these fields of a split; none where the split has no file."""
        raise NotImplementedError(f"{type(self).__name__} must define file_names")


class OneFile(Reader):
    """Formats that hold a split in one file."""

    files: Files

    def file_names(self, split: str, fields: Sequence[str]) -> list[str]:
        """The split's one file."""
        name = getattr(self.files, split)
        return [] if name is None else [name]


class Conll(OneFile):
    """A token a line with its tag, sentences parted by blank lines."""

    class Columns(Strict):
        """The places of the fields of a line, from 0, or from -1 for the last."""

        token: int = 0
        tag: int = -1

    format: Literal["conll"]
    columns: Columns = Columns()
    separator: Literal["tab", "whitespace"] = "whitespace"
    comment: Name | None = Field(None, description="what a line begins with that holds no token")
    documents: Name | None = Field(None, description="the token of a line that parts documents, as -DOCSTART-")
    language_prefix: bool = Field(False, description="tokens are written lang:token, as in Rahimi's WikiAnn")
    holds: ClassVar[tuple[str, ...]] = ("tokens", "tags")


class Recorded(OneFile):
    """Layouts of public sets of records: E2E's lines as the papers have them, WebNLG's and DART's own JSON."""

    format: Literal["e2e", "webnlg", "dart"]
    holds: ClassVar[tuple[str, ...]] = ("record", "references")


class ByName(OneFile):
    """Formats whose columns have names."""

    columns: dict[str, Name] = Field({}, description="our fields to the file's columns, where their names differ")

    def named(self, split: str) -> Mapping[str, str | int]:
        """The columns that the block names, by our fields."""
        return self.columns


class JsonLines(ByName):
    """A JSON object a line."""

    format: Literal["jsonl"]


class Parquet(ByName):
    """A Parquet file."""

    format: Literal["parquet"]


class Lines(Reader):
    """An example a line, each field in a file of its own."""

    class Files(Strict):
        """Of each split the file of each field, side by side."""

        train: dict[str, Name]
        dev: dict[str, Name] = {}
        test: dict[str, Name]
        unlabeled: dict[str, Name] = Field({}, description="text without answers; the train split's where absent")

    format: Literal["lines"]
    files: Files
    names_in: ClassVar[str] = "files"
    strings_only: ClassVar[bool] = True

    @property
    def names_all(self) -> bool:
        """Whether the block has to name the file of every field: it does."""
        return True

    def named(self, split: str) -> Mapping[str, str | int]:
        """The files of a split, by our fields."""
        found: dict[str, str | int] = getattr(self.files, split)
        return found

    def file_names(self, split: str, fields: Sequence[str]) -> list[str]:
        """A file for each field."""
        names = self.named(split)
        return [str(names[field]) for field in fields] if names else []


class Table(OneFile):
    """Comma- or tab-separated values."""

    format: Literal["csv", "tsv"]
    separator: Annotated[str, Field(pattern=r'^[^"\r\n]$')] | None = Field(
        None, description="the one character between fields; the format's own where absent"
    )
    quoting: Literal["minimal", "none"] = Field("minimal", description="none: quotation marks are text like any other")
    open_end: bool = Field(False, description="true: the last line may lack its line end, and the file be whole")
    header: bool = Field(True, description="false: the first line is an example, and columns are places from 0")
    columns: dict[str, Name | int] = Field({}, description="our fields to the file's columns, where names differ")
    strings_only: ClassVar[bool] = True

    def named(self, split: str) -> Mapping[str, str | int]:
        """The columns that the block names, by our fields."""
        return self.columns

    @property
    def names_all(self) -> bool:
        """Whether the block has to name every column: without a header nothing else does."""
        return not self.header

    @field_validator("columns")
    @classmethod
    def _as_the_header_says(cls, value: dict[str, str | int], info: ValidationInfo) -> dict[str, str | int]:
        header = info.data.get("header", True)
        for field, column in value.items():
            if isinstance(column, int) == header or (isinstance(column, int) and column < 0):
                wanted = "the column's name in the first line" if header else "the column's place, from 0"
                raise ValueError(f"write {wanted} for {field!r}, or change `header`")
        return value


AnyReader = Annotated[Conll | Lines | JsonLines | Table | Parquet | Recorded, Field(discriminator="format")]
