"""A private copy of a PostgreSQL build in which RDS's extensions may be created by the master.

PostgreSQL finds its shared files relative to where its own program file lies. So a copy of that
one file, beside links to everything else, gives a build with an extension directory of our own:
it holds the extensions RDS allows and no others, those that need a superuser are marked
trusted, and the grants RDS makes to ``rds_superuser`` are appended to their scripts.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from localcloud.binaries import Binaries

# What RDS for PostgreSQL 15 lists in rds.extensions and a community build can carry.
ALLOWED_EXTENSIONS = (
    "amcheck",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intagg",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "old_snapshot",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_trgm",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
)
# Functions are found by their membership, so that no signature is written down here.
_OWN_FUNCTIONS = """
DO $grants$
DECLARE member regprocedure;
BEGIN
    FOR member IN
        SELECT d.objid::regprocedure
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = '{name}'
          AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rds_superuser', member);
    END LOOP;
END $grants$;
"""
GRANTS = {
    "amcheck": _OWN_FUNCTIONS.format(name="amcheck"),
    "pg_stat_statements": _OWN_FUNCTIONS.format(name="pg_stat_statements"),
    "postgres_fdw": "GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO rds_superuser;",
    "dblink": "GRANT USAGE ON FOREIGN DATA WRAPPER dblink_fdw TO rds_superuser;",
}
_DEFAULT_VERSION = re.compile(r"default_version\s*=\s*'([^']+)'")


def make(found: Binaries, root: Path) -> Binaries:
    """Build the private copy under ``root`` and return it as a build of its own."""
    prefix = _common_prefix(found)
    own_bin = root / found.bin.relative_to(prefix)
    own_share = root / found.share.relative_to(prefix)
    own_bin.mkdir(parents=True)
    own_share.mkdir(parents=True)
    shutil.copy2(found.program("postgres").resolve(), own_bin / "postgres")
    _link_others(found.bin, own_bin, {"postgres"})
    _link_others(found.bin.parent, own_bin.parent, {"bin", "share"})
    _link_others(found.share, own_share, {"extension"})
    _extensions(found, own_share / "extension")
    return Binaries(own_bin, own_share, found.major, found.version, found.tls)


def reopen(found: Binaries, root: Path) -> Binaries:
    """Return a private copy made earlier under ``root``."""
    prefix = _common_prefix(found)
    return Binaries(
        root / found.bin.relative_to(prefix),
        root / found.share.relative_to(prefix),
        found.major,
        found.version,
        found.tls,
    )


def _common_prefix(found: Binaries) -> Path:
    for parent in found.bin.parents:
        if found.share.is_relative_to(parent):
            return parent
    return Path("/")


def _link_others(source: Path, target: Path, apart: set[str]) -> None:
    for entry in source.iterdir():
        if entry.name not in apart and not (target / entry.name).exists():
            (target / entry.name).symlink_to(entry)


def _extensions(found: Binaries, target: Path) -> None:
    target.mkdir()
    source = found.share / "extension"
    for name in ALLOWED_EXTENSIONS:
        control = source / f"{name}.control"
        if not control.is_file():
            continue
        text = control.read_text()
        (target / control.name).write_text(f"{text}\ntrusted = true\n")
        for script in source.glob(f"{name}--*.sql"):
            shutil.copyfile(script, target / script.name)
        _append_grants(name, text, target)


def _append_grants(name: str, control: str, target: Path) -> None:
    version = _DEFAULT_VERSION.search(control)
    grants = GRANTS.get(name)
    if not version or not grants:
        return
    for script in target.glob(f"{name}--*{version[1]}.sql"):
        with script.open("a") as text:
            text.write(f"\n{grants}\n")
