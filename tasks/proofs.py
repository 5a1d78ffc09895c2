"""Proofs that what may go is kept elsewhere, as they lie in the evidence bucket."""

from __future__ import annotations

from haven.retention.proof import PREFIX, Proof, Proofs
from tasks.evidence import put_once
from tasks.kinds import changes, looks
from tasks.site import Site
from tasks.verifications import evidence_bucket, read_evidence, stored_keys


@looks
def read_proofs(site: Site) -> Proofs:
    """Return the newest proof of each subject."""
    newest: dict[str, str] = {}
    for key in stored_keys(site, PREFIX):
        newest[key.rpartition("/")[0]] = key
    proofs = [Proof.model_validate_json(read_evidence(site, key)) for key in newest.values()]
    return {proof.subject: proof for proof in proofs}


@changes
def add_proof(site: Site, proof: Proof) -> str:
    """Write down that an export was loaded back and what it held; return the key."""
    s3, bucket = evidence_bucket(site)
    put_once(s3, bucket, proof.key, proof.model_dump_json(indent=1).encode())
    return proof.key
