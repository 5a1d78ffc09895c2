"""Observing a whole stack: every kind in every region at the same time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from flows.frame import Run
from flows.graph import gather
from haven.stack.names import TAG_STACK
from haven.stack.resource import Found, Resource
from tasks.site import Observation
from tasks.table import KINDS, Observe
from tasks.tags import observe_tags, read_tags

Index = Mapping[str, Mapping[str, str]]


def observe_stack(run: Run, resources: Sequence[Resource]) -> dict[str, Found[Resource]]:
    """Return every resource of the stack that exists, with its tags, by address."""
    looks = _looks(run, resources)
    regions = sorted({resource.region for resource in resources})
    tag_looks: dict[str, Callable[[], Index]] = {
        f"tags {region}": partial(observe_tags, run.site, region) for region in regions
    }
    workers = run.settings.parallel
    answers: dict[str, Any] = gather({**looks, **tag_looks}, workers=workers)
    index: dict[str, Mapping[str, str]] = {}
    found: dict[str, Found[Resource]] = {}
    for name, answer in answers.items():
        target: dict[str, Any] = index if name in tag_looks else found
        target.update(answer)
    return _with_tags(run, found, index)


def _looks(run: Run, resources: Sequence[Resource]) -> dict[str, Callable[[], Observation]]:
    """Group resources by who observes them where; those observed alone get a look each."""
    groups: dict[tuple[str, str, str], list[Resource]] = {}
    calls: dict[tuple[str, str, str], Observe] = {}
    for resource in resources:
        kind = KINDS[type(resource)]
        own = resource.name if kind.alone else ""
        key = (kind.observe.__name__, resource.region, own)
        groups.setdefault(key, []).append(resource)
        calls[key] = kind.observe
    longest_first = sorted(groups, key=lambda key: (not key[2], -len(groups[key])))
    return {
        " ".join(key): partial(calls[key], run.site, key[1], groups[key]) for key in longest_first
    }


def _with_tags(
    run: Run, found: Mapping[str, Found[Resource]], index: Index
) -> dict[str, Found[Resource]]:
    """Fill in tags from the index; what it does not know is asked for at its own service."""
    tagged = {
        address: dataclasses.replace(item, tags=_known(item, index))
        for address, item in found.items()
    }
    unknown = {
        address: partial(read_tags, run.site, item)
        for address, item in tagged.items()
        if item.tags is None and item.resource.tagged
    }
    for address, tags in gather(unknown, workers=run.settings.parallel).items():
        tagged[address] = dataclasses.replace(tagged[address], tags=tags)
    return tagged


def _known(item: Found[Resource], index: Index) -> Mapping[str, str] | None:
    if item.tags and TAG_STACK in item.tags:
        return item.tags
    return index.get(item.arn, item.tags or None)
