"""What goes wrong, in one sentence."""

from __future__ import annotations


class Error(Exception):
    """A failure that one sentence explains; ``str(error)`` is that sentence.

    Attributes
    ----------
    code
        As the program's exit code: 1 failed (input, files, memory, numbers),
        2 wrong usage, 75 stopped with a checkpoint, 127 no program found; a
        negative number is the signal that ended the program.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def need_pyarrow() -> None:
    """Only tables need it, so it is not asked for before."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as e:
        raise Error("cannot read or write tables without pyarrow; 'pip "
                    f"install pyarrow' brings it ({e})") from None


def some(names: list[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    text = ", ".join(names[:most])
    more = len(names) - most
    return f"{text} and {more} more" if more > 0 else text
