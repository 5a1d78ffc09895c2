"""What happens to a patient: records, verifications, accesses, changes made offline."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from haven.sample_data.people import organizations, users
from haven.sample_data.rows import Row, before, key, skewed

RECORD_TYPES = (
    ("vital_signs", 30),
    ("clinical_note", 15),
    ("immunization", 12),
    ("lab_result", 10),
    ("medication", 8),
    ("diagnosis", 6),
    ("prescription", 6),
    ("screening", 4),
    ("vaccination_certificate", 3),
    ("referral", 2),
    ("imaging", 1),
    ("allergy", 1),
    ("procedure", 1),
    ("discharge_summary", 1),
)
METHODS = ("document_check", "biometric_match", "witness", "organization", "interview")
ACTIONS = (("view", 70), ("update", 12), ("create", 8), ("sync", 6), ("export", 2), ("print", 2))
CHANNELS = ("web_portal", "mobile_app", "api", "sync_service")
RECORD_DAYS = 365 * 3
LOG_DAYS = 90
MOST_RECORDS = 150
MOST_LOGS = 120
RARE = 0.01
SELDOM = 0.1
OFTEN = 0.3


def records(random: Random, patient: Row, until: datetime) -> list[Row]:
    """Draw a patient's records: most have a few, some have very many."""
    organization = patient["managing_organization"]
    return [
        _record(random, patient, organization, before(random, until, RECORD_DAYS))
        for _ in range(skewed(random, 3, MOST_RECORDS))
    ]


def _record(random: Random, patient: Row, organization: object, when: datetime) -> Row:
    kind = random.choices([item for item, _ in RECORD_TYPES], [item for _, item in RECORD_TYPES])[0]
    return {
        "id": key(random),
        "patient_id": patient["id"],
        "record_date": when,
        "created_at": when,
        "updated_at": when,
        "record_type": kind,
        "title": kind.replace("_", " ").capitalize(),
        "status": random.choices(("final", "draft", "amended"), (90, 7, 3))[0],
        "priority": random.choices(("routine", "urgent", "emergency", "stat"), (85, 10, 4, 1))[0],
        "emergency_accessible": random.random() < SELDOM,
        "encrypted_content": random.randbytes(skewed(random, 120, 4000)),
        "content_type": "application/fhir+json",
        "encryption_key_id": f"sample-key-{patient['created_at'].year}",
        "facility_id": organization,
        "facility_name": "Sample clinic",
        "source_system": "sample-data",
        "external_id": str(key(random)),
        "imported_at": when,
    }


def verifications(random: Random, patient: Row) -> list[Row]:
    """Draw the verifications of a patient, their times in order."""
    if patient["verification_status"] == "unverified":
        return []
    asked = patient["created_at"]
    started = asked + timedelta(hours=random.randint(1, 48))
    done = started + timedelta(hours=random.randint(1, 200))
    finished = patient["verification_status"] != "pending"
    valid = 1 if patient["verification_status"] == "expired" else 730
    organization = patient["managing_organization"]
    return [
        {
            "id": key(random),
            "patient_id": patient["id"],
            "created_at": asked,
            "updated_at": asked,
            "verification_type": "identity",
            "verification_method": random.choice(METHODS),
            "verification_level": random.choice(("low", "medium", "high")),
            "status": patient["verification_status"],
            "verifier_id": random.choice(users(organization)),
            "verifier_name": "Sample verifier",
            "verifier_organization": organization,
            "requested_at": asked,
            "started_at": started if finished else None,
            "completed_at": done if finished else None,
            "expires_at": done + timedelta(days=valid) if finished else None,
            "factors_required": 2,
            "factors_completed": 2 if finished else 0,
            "ledger_hash": random.randbytes(32).hex() if finished else None,
            "confidence_score": random.randint(50, 100) if finished else None,
            "recognized_countries": random.sample(("DE", "FR", "JO", "KE", "PL"), 2),
        }
    ]


def accesses(random: Random, patient: Row, until: datetime) -> list[Row]:
    """Draw who looked at a patient over the last months."""
    organization = patient["managing_organization"]
    people = users(organization)
    return [
        _access(random, patient, organization, random.choice(people), until)
        for _ in range(skewed(random, 2, MOST_LOGS))
    ]


def _access(
    random: Random, patient: Row, organization: object, user: object, until: datetime
) -> Row:
    override, abroad = random.random() < RARE, random.random() < RARE
    action = random.choices([item for item, _ in ACTIONS], [item for _, item in ACTIONS])[0]
    return {
        "id": key(random),
        "accessed_at": before(random, until, LOG_DAYS),
        "user_id": user,
        "organization_id": organization,
        "patient_id": patient["id"],
        "resource_id": patient["id"],
        "response_time_ms": skewed(random, 20, 5000),
        "action": "emergency" if override else action,
        "channel": "emergency_system" if override else random.choice(CHANNELS),
        "result": random.choices(("success", "denied", "error"), (96, 3, 1))[0],
        "emergency_override": override,
        "data_minimization_applied": random.random() < OFTEN,
        "sensitive_data_accessed": random.random() < SELDOM,
        "cross_border_transfer": abroad,
        "user_role": random.choice(("nurse", "physician", "registrar")),
        "resource_type": "patient",
        "purpose": "emergency care" if override else "care",
        "justification": "Unconscious on arrival" if override else None,
        "ip_address": f"192.0.2.{random.randint(1, 254)}",
        "destination_country": "DE" if abroad else None,
    }


def queued(random: Random, seed: int, patient: Row, until: datetime) -> Row:
    """Draw a change that a device made while offline."""
    arrived = before(random, until, 2)
    status = random.choices(("pending", "completed", "failed", "conflict"), (60, 30, 5, 5))[0]
    return {
        "id": key(random),
        "sync_id": key(random),
        "organization_id": patient["managing_organization"],
        "created_at": arrived,
        "updated_at": arrived,
        "next_retry_at": arrived,
        "completed_at": arrived if status == "completed" else None,
        "local_timestamp": arrived - timedelta(hours=random.randint(1, 60)),
        "record_id": key(random),
        "patient_id": patient["id"],
        "priority": random.randint(1, 5),
        "attempts": 0 if status == "pending" else 1,
        "status": status,
        "action": random.choice(("create", "update", "update")),
        "conflict_detected": status == "conflict",
        "device_id": f"sample-device-{organizations(seed).index(patient['managing_organization'])}",
        "record_type": "health_record",
        "network_type": random.choice(("wifi", "cellular", "satellite")),
        "payload": random.randbytes(random.randint(60, 600)),
    }
