"""A progress bar where tqdm is installed and somebody looks; else nothing."""

from __future__ import annotations

import sys
from typing import Any


class _Silent:
    """What is used of a tqdm bar, doing nothing."""

    n = 0

    def update(self, _: float = 1) -> None: ...

    def refresh(self) -> None: ...

    def set_description_str(self, _: str, refresh: bool = True) -> None: ...

    def set_postfix_str(self, _: str, refresh: bool = True) -> None: ...

    def close(self) -> None: ...


def bar(shown: bool | None, text: str, total: float | None, **more: Any) -> Any:
    """A bar of `total` units.  `shown`: None shows it on a terminal and in a
    notebook, True anywhere, False nowhere."""
    if shown is None:
        shown = sys.stderr.isatty() or "ipykernel" in sys.modules
    if shown:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return _Silent()
        return tqdm(desc=text, total=total, leave=False, **more)
    return _Silent()
