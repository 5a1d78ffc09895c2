"""The URLs of a corrected service: moto's own, answered by another response class if need be."""

from __future__ import annotations

import importlib
import types
from typing import Any


def of(service: str, response: Any = None) -> Any:
    """Return the URL module of one of moto's services; its root path leads to ``response``."""
    known = importlib.import_module(f"moto.{service}.urls")
    if response is None:
        return known
    paths = {**known.url_paths, "{0}/$": response.dispatch}
    return types.SimpleNamespace(url_bases=known.url_bases, url_paths=paths)
