"""The catalogue of a restored copy, held against a manifest's."""

from __future__ import annotations

from collections.abc import Mapping

from haven.migrations.catalogue import Catalogue, Change, compare


def unexplained(known: Catalogue, copy: Catalogue, source: Catalogue) -> tuple[Change, ...]:
    """Return what differs from the manifest, but for what the source has today as the copy has it.

    That was changed between the manifest and the moment that was restored to.
    """
    same = {key for key in copy.keys() | source.keys() if copy.get(key) == source.get(key)}
    return compare(_without(known, same), _without(copy, same))


def _without(catalogue: Catalogue, keys: set[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    return {key: value for key, value in catalogue.items() if key not in keys}
