"""The errors that the harness tells apart."""

from __future__ import annotations

from harness.base.lines import Where, place_of

NO_MEMORY = (  # what messages of refused allocations hold
    "allocate memory", "out of memory", "_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",
)  # fmt: skip


class UserError(Exception):
    """A mistake in something the user wrote or supplied, told in one sentence."""

    def __init__(self, sentence: str) -> None:
        # What is quoted (another library's message, say) may hold line ends; a sentence does not.
        super().__init__(" ".join(line.strip() for line in sentence.splitlines() if line.strip()))


class NotHere(UserError):
    """Data or a checkpoint that a run would need and that this machine does not have."""


class Diverged(Exception):
    """The loss became NaN or infinite during training."""


class Unsupported(Exception):
    """This method cannot run on this kind of task or backbone."""


def bad(where: Where, field: str, value: object, mend: str) -> UserError:
    """One sentence that names the file, the field's line where it is YAML, the field, the value and the mend."""
    shown = repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    return UserError(f"{place_of(where, field, value)}: {field} is {shown}; {mend}")


def reason(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{type(error).__name__}: {first}"


def lacks_memory(error: BaseException) -> bool:
    """Whether an allocation was refused.

    That is a plain RuntimeError of torch on the CPU, torch.OutOfMemoryError on a GPU, or what one of CUDA's libraries
    answers that finds no room for its own work.
    """
    refused = isinstance(error, RuntimeError) and any(word in str(error) for word in NO_MEMORY)
    return isinstance(error, MemoryError) or refused
