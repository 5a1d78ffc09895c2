"""Every hazard there is, by name. The reference in the documentation is made from this table."""

from __future__ import annotations

from haven.migrations.lint.findings import Hazard

NON_TRANSACTIONAL = "Do it CONCURRENTLY, in a file that begins with '-- haven: non-transactional':"
TWO_FILES = "Add it NOT VALID, which checks new rows only, and validate it in the next file:"
PARTS = "Use batches, a few thousand rows each, in a file of their own or a program."
EXPAND = "Add the new one, move all clients to it, and remove the old one in a later release."

_TABLE = (
    Hazard(
        "index-blocks-writes",
        "Writes to {subject} wait until the index is built: minutes on a large table.",
        NON_TRANSACTIONAL,
    ),
    Hazard(
        "drop-index-blocks",
        "Reads and writes of the table of {subject} wait, and those behind them, until every query "
        "on it has ended.",
        NON_TRANSACTIONAL,
    ),
    Hazard(
        "reindex-blocks",
        "Writes wait until {subject} is built again, and reads that would use it.",
        NON_TRANSACTIONAL,
    ),
    Hazard(
        "not-null-scans",
        "All reads and writes of the table wait while every row of {subject} is read.",
        "Prove it first by a CHECK that is validated without blocking; then it takes no time:",
    ),
    Hazard(
        "check-scans",
        "All reads and writes of {subject} wait while every row is checked.",
        TWO_FILES,
    ),
    Hazard(
        "foreign-key-scans",
        "Writes to {subject} and to the table that it refers to wait while every row is checked.",
        TWO_FILES,
    ),
    Hazard(
        "validated-under-lock",
        "The lock that added the constraint to {subject} is held until every row is checked.",
        "Validate it in the next file, which is a transaction of its own:",
    ),
    Hazard(
        "constraint-builds-index",
        "All reads and writes of {subject} wait until the index behind the constraint is built.",
        "Build the index first, in a file that begins with '-- haven: non-transactional', then use it:",
    ),
    Hazard(
        "exclusion-builds-index",
        "All reads and writes of {subject} wait until the index behind it is built; PostgreSQL has "
        "no way to do that CONCURRENTLY.",
        "Make a new table with it and move the rows over, or accept the wait.",
    ),
    Hazard(
        "type-change-rewrites",
        "All reads and writes of the table wait while it and its indexes are written anew to change "
        "{subject}.",
        "Add a column of the new type, fill it in batches, and move clients to it. "
        "Without a rewrite: varchar to text or longer, numeric to more digits.",
    ),
    Hazard(
        "default-rewrites",
        "All reads and writes of the table wait while it is written anew to fill {subject}, whose "
        "value is not the same for all rows.",
        "Add the column without it, set the default, and fill old rows in batches:",
    ),
    Hazard(
        "column-required",
        "It fails if there is any row, and clients that do not know {subject} can no longer insert.",
        "Give it a constant default, which takes no time:",
    ),
    Hazard(
        "key-too-small",
        "{subject} can count no further than its type; widening a key later rewrites the table and all "
        "that refer to it.",
        "Use bigint GENERATED ALWAYS AS IDENTITY, or uuid.",
    ),
    Hazard(
        "detach-blocks",
        "All reads and writes of the parent wait to let go of {subject}, behind every query on it.",
        NON_TRANSACTIONAL,
    ),
    Hazard(
        "attach-scans",
        "All use of {subject} waits while every row of it is checked against the bounds.",
        "Give it a validated CHECK with the same bounds first; then it takes no time.",
    ),
    Hazard(
        "refresh-blocks",
        "Reads of {subject} wait until it is computed anew.",
        "With a unique index on it, do it CONCURRENTLY:",
    ),
    Hazard(
        "rewritten-under-lock",
        "All reads and writes of {subject} wait while it is written anew.",
        "Leave it, or move its rows in batches; for bloat, use pg_repack, which RDS has.",
    ),
    Hazard(
        "domain-scans",
        "Every table that uses {subject} is read whole, and its writes wait.",
        TWO_FILES,
    ),
    Hazard(
        "lock-kept",
        "All reads and writes of {subject} wait until this change of rows is done: an earlier statement "
        "of the file has locked it, and holds the lock to the end.",
        "Change the rows in the next file, which is a transaction of its own.",
    ),
    Hazard(
        "lock-timeout-changed",
        "While a statement waits for a lock, all who come after it wait too; the file sets {subject} "
        "itself, and nothing else bounds that.",
        "Use the header: '-- haven: lock-timeout 5s'.",
    ),
    Hazard(
        "lock-table",
        "Whoever needs {subject} waits until this file ends.",
        "Leave it out: each statement takes the lock that it needs, for as long as it needs it.",
    ),
)
_LOSS = (
    Hazard(
        "rename-breaks",
        "Clients that still use the old name of {subject} fail from then on.",
        EXPAND,
    ),
    Hazard(
        "drop-loses-data",
        "What is in {subject} is gone; only a restore brings it back.",
        "Stop using it in one release, drop it in a later one, after a verified export.",
    ),
    Hazard(
        "drop-breaks",
        "Clients that use {subject} fail from then on.",
        "Stop using it in one release and drop it in a later one.",
    ),
    Hazard(
        "truncate-loses-data",
        "Every row of {subject} is gone, and all use of it waits meanwhile.",
        "Delete what is not needed, in batches, by a condition that names it.",
    ),
    Hazard(
        "every-row-written",
        "Every row of {subject} is written in one transaction: others that change them wait, replicas "
        "fall behind, and the table doubles.",
        PARTS,
    ),
    Hazard(
        "not-logged",
        "{subject} is empty on replicas, and after a restore from a snapshot or a crash.",
        "Make it an ordinary table.",
    ),
    Hazard(
        "temporary-table",
        "{subject} is gone with the session; a file that is run again after a crash finds nothing.",
        "Use WITH in one statement, or an ordinary table that a later statement drops.",
    ),
    Hazard(
        "export-skips",
        "The export of snapshots leaves {subject} out, for its name.",
        "Use letters, digits and underscores.",
    ),
    Hazard(
        "guard-dropped",
        "Rows that break {subject} can come in from then on.",
        "Put its successor in place first.",
    ),
    Hazard(
        "undo-deletes",
        "A down file loses the rows of {subject} that its condition meets, and applying the file again "
        "does not bring them back.",
        "Leave them, or keep them in another table.",
    ),
    Hazard(
        "triggers-off",
        "Rows that are written while triggers of {subject} are off pass no check of theirs, and foreign "
        "keys are such checks.",
        "Leave them on.",
    ),
)
_OPEN = (
    Hazard(
        "definer-search-path",
        "Who can create objects in a schema of the caller's search_path can run code as the owner of "
        "{subject}.",
        "Fix the path in its definition:",
    ),
    Hazard(
        "row-security-missing",
        "{subject} holds data of patients, and nothing limits which rows a login sees.",
        "Force it in the same file, and add policies:",
    ),
    Hazard(
        "row-security-removed",
        "Logins see rows of {subject} that are not theirs.",
        "Leave row-level security on and forced; change the policies instead.",
    ),
    Hazard(
        "policy-opens",
        "Every login that may use {subject} at all sees or writes its rows by this policy, whosever they "
        "are.",
        "Name the roles that it is for, or a condition that looks at the row.",
    ),
    Hazard(
        "owner-changed",
        "{subject} no longer belongs to haven_owner, so later migrations and default privileges miss it.",
        "Leave the owner as it is.",
    ),
    Hazard(
        "grant-to-public",
        "Every login there is or will be gets it: {subject}.",
        "Grant it to the roles that need it.",
    ),
    Hazard(
        "ledger-changed",
        "The ledger could not be trusted any more: {subject} is what runs go by.",
        "Leave it to Haven: to=, baseline= and repair= change it, and say so in its history.",
        acceptable=False,
    ),
    Hazard(
        "literal-password",
        "The password of {subject} would stand in this file, in the server's log and in version control.",
        "Provision makes logins, and keeps their passwords in Secrets Manager.",
        acceptable=False,
    ),
    Hazard(
        "rds-refuses",
        "RDS does not allow it: {subject}.",
        "Leave it out.",
        acceptable=False,
    ),
)
HAZARDS = {hazard.name: hazard for hazard in (*_TABLE, *_LOSS, *_OPEN)}
