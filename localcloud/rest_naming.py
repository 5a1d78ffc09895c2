"""Operations of REST services (AWS Backup, Lambda, Route 53, ...), by botocore's models."""

from __future__ import annotations

import functools
import re

import botocore.exceptions
import botocore.loaders


@functools.cache
def _routes(service: str, label: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    loader = botocore.loaders.Loader()
    try:
        model = loader.load_service_model(service, "service-2")
    except botocore.exceptions.BotoCoreError:
        return ()
    rows = []
    for name, facts in model["operations"].items():
        uri = facts["http"]["requestUri"].split("?")[0]
        parts = re.split(r"\{[^}]+\}", uri)
        pattern = re.compile(label.join(re.escape(part) for part in parts) + "/?")
        rows.append((len(parts), str(facts["http"]["method"]), pattern, str(name)))
    # The route with the fewest placeholders is the most exact one.
    rows.sort(key=lambda row: row[0])
    return tuple((method, pattern, name) for _, method, pattern, name in rows)


def operation(service: str, method: str, path: str) -> str:
    """Return the operation a path stands for, or method and path when no model knows it."""
    # A label is one segment of the path, except where it holds an ARN with slashes.
    for label in ("[^/]+", ".+"):
        for known, pattern, name in _routes(service, label):
            if known == method and pattern.fullmatch(path):
                return name
    return f"{method} {path}"
