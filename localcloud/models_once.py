"""botocore's models are read once in a process: moto makes a loader of its own for most questions."""

from __future__ import annotations

import functools
from typing import Any

from botocore.loaders import JSONFileLoader


def attach() -> None:
    """Let every loader answer with what one of them has read. Call before moto is imported.

    moto asks which regions a service has in a new session each time, and botocore then reads the
    whole model of the service. Nobody changes what was read.
    """
    one = JSONFileLoader()
    read = functools.cache(one.load_file)

    def load_file(_: Any, file_path: str) -> Any:
        return read(file_path)

    JSONFileLoader.load_file = load_file
