"""When a cached template may be used again."""

import dataclasses
from pathlib import Path

from localcloud import template
from localcloud.binaries import Binaries
from localcloud.unprivileged import Owner


def build(folder: Path) -> Binaries:
    folder.mkdir(parents=True)
    (folder / "postgres").write_bytes(b"the same program")
    return Binaries(bin=folder, share=folder, major=15, version="15.1", tls=True)


def test_the_same_build_in_another_place_is_another_template(tmp_path):
    here, there = build(tmp_path / "here"), build(tmp_path / "there")
    owner = Owner(name="x", uid=1, gid=1, drop=False)
    assert template._key(here, owner) == template._key(here, owner)
    assert template._key(here, owner) != template._key(there, owner)
    assert template._key(here, owner) != template._key(here, dataclasses.replace(owner, uid=2))
