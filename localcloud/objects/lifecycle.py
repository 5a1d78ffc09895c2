"""Lifecycle rules carried out: every bucket of every account, at a moment of the service clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from moto.s3.models import FakeDeleteMarker, s3_backends

from localcloud.clock import Clock
from localcloud.objects.rules import Rule, is_due, moved_to


def keep_pace(clock: Clock) -> None:
    """Do what is due by now: S3 does so once a day."""
    for account in list(s3_backends.values()):
        for backend in list(account.values()):
            for bucket in list(getattr(backend, "buckets", {}).values()):
                rules = [_read(rule) for rule in bucket.rules if rule.status == "Enabled"]
                if rules:
                    _tend(backend, bucket, rules, clock)


def _tend(backend: Any, bucket: Any, rules: list[Rule], clock: Clock) -> None:
    now = clock.now()
    for name in list(bucket.keys):
        versions = list(bucket.keys.getlist(name) or ())
        for rule in rules:
            if versions and rule.fits(name, _tags(backend, versions[-1])):
                _tend_versions(backend, bucket, name, versions, rule, clock)
                versions = list(bucket.keys.getlist(name) or ())
    for identifier, upload in list(bucket.multiparts.items()):
        begun = clock.at(upload.begun)
        for rule in rules:
            if rule.fits(upload.key_name) and is_due(begun, rule.aborts_uploads, now):
                bucket.multiparts.pop(identifier, None)


def _tend_versions(
    backend: Any, bucket: Any, name: str, versions: list[Any], rule: Rule, clock: Clock
) -> None:
    """Carry out a rule on the versions of an object, given oldest first."""
    now = clock.now()
    for place, one in enumerate(versions[:-1]):
        # It is noncurrent since there is a newer one.
        since = _moment(versions[place + 1], clock)
        _move(one, rule.noncurrent_transitions, since, now)
        if is_due(since, rule.noncurrent_expires, now) and not _is_locked(one, now):
            _forget(bucket, name, one)
    current = versions[-1]
    since = _moment(current, clock)
    if isinstance(current, FakeDeleteMarker):
        alone = len(bucket.keys.getlist(name) or ()) == 1
        if alone and (rule.removes_lone_markers or is_due(since, rule.expires, now)):
            _forget(bucket, name, current)
        return
    _move(current, rule.transitions, since, now)
    if is_due(since, rule.expires, now):
        backend.delete_object(bucket.name, name)


def _move(
    one: Any, transitions: tuple[tuple[int, str], ...], since: dt.datetime, now: dt.datetime
) -> None:
    if not isinstance(one, FakeDeleteMarker):
        one.set_storage_class(moved_to(one.storage_class, one.size, transitions, since, now))


def _forget(bucket: Any, name: str, one: Any) -> None:
    rest = [item for item in bucket.keys.getlist(name) if item is not one]
    bucket.keys.setlist(name, rest)
    if not rest:
        bucket.keys.pop(name)


def _is_locked(one: Any, now: dt.datetime) -> bool:
    """Tell whether Object Lock keeps a version; by the service clock, which moto does not know."""
    if isinstance(one, FakeDeleteMarker):
        return False
    if one.lock_legal_status == "ON":
        return True
    return bool(one.lock_until) and dt.datetime.fromisoformat(one.lock_until) > now


def _moment(one: Any, clock: Clock) -> dt.datetime:
    return clock.at(one.last_modified.replace(tzinfo=dt.UTC))


def _tags(backend: Any, one: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(one, FakeDeleteMarker):
        yield from backend.tagger.get_tag_dict_for_resource(one.arn).items()


def _read(rule: Any) -> Rule:
    found = rule.filter
    both = found.and_filter if found else None
    tags = dict(both.tags) if both and both.tags else {}
    if found and found.tag_key:
        tags[found.tag_key] = found.tag_value or ""
    prefix = rule.prefix or (found.prefix if found else "") or (both.prefix if both else "")
    return Rule(
        prefix or "",
        tuple(tags.items()),
        tuple((int(one.days), one.storage_class) for one in rule.transitions or () if one.days),
        _days(rule.expiration_days),
        tuple(
            (int(one.days), one.storage_class) for one in rule.noncurrent_version_transitions or ()
        ),
        _days(rule.nve_noncurrent_days),
        str(rule.expired_object_delete_marker).lower() == "true",
        _days(rule.aimu_days),
    )


def _days(given: Any) -> int | None:
    return None if given in (None, "") else int(given)
