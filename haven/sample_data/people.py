"""Patients, and who was granted them."""

from __future__ import annotations

import functools
import json
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid5

from haven.sample_data import words
from haven.sample_data.rows import Row, before, key

NAMESPACE = UUID("b1f4a8a2-6c4e-4d39-9a0f-7f1f3d0a5c11")
ORGANIZATIONS = 6
USERS = 12
YEARS = 365 * 4
OLDEST = 85


@functools.cache
def organizations(seed: int) -> tuple[UUID, ...]:
    """Return the organizations of a seed, the largest first."""
    return tuple(
        uuid5(NAMESPACE, f"organization {seed} {number}") for number in range(ORGANIZATIONS)
    )


@functools.cache
def users(organization: UUID) -> tuple[UUID, ...]:
    """Return the users of an organization."""
    return tuple(uuid5(organization, f"user {number}") for number in range(USERS))


def manager(random: Random, seed: int) -> UUID:
    """Draw who manages a patient: few organizations have most."""
    weights = [1 / (number + 1) for number in range(ORGANIZATIONS)]
    return random.choices(organizations(seed), weights)[0]


def patient(random: Random, seed: int, number: int, source: str, until: datetime) -> Row:
    """Draw a patient."""
    made = before(random, until, YEARS)
    organization = manager(random, seed)
    country, language, _ = random.choices(words.COUNTRIES, [item[2] for item in words.COUNTRIES])[0]
    return {
        "id": key(random),
        "created_at": made,
        "updated_at": made,
        **_names(random),
        **_birth(random, until.date()),
        "gender": random.choices(("female", "male", "other", "unknown"), (50, 46, 1, 3))[0],
        "displacement_status": words.weighted(random, words.STATUSES),
        "unhcr_number": f"TEST-{seed}-{number:08d}" if random.random() < 0.8 else None,  # noqa: PLR2004  # most are registered
        "displacement_date": made.date() - timedelta(days=random.randint(10, 900)),
        "origin_country": country,
        "current_camp": random.choice(words.CAMPS),
        "camp_section": f"{random.choice('ABCDEF')}{random.randint(1, 30)}",
        **_contact(random, number),
        "primary_language": language,
        "languages_spoken": sorted({language, random.choice(("en", "fr", "ar", "es"))}),
        "interpreter_needed": random.random() < 0.4,  # noqa: PLR2004  # two in five
        **_summary(random),
        "created_by_organization": organization,
        "managing_organization": organization,
        "last_updated_by": random.choice(users(organization)),
        "import_source": source,
    }


def _names(random: Random) -> dict[str, Any]:
    given, given_others = words.name(random)
    family, family_others = words.name(random)
    language, _ = random.choice(words.SCRIPTS)
    written = {language: f"{given_others[language]} {family_others[language]}"}
    return {
        "given_name": given,
        "family_name": family,
        "names_in_scripts": json.dumps(written, ensure_ascii=False),
    }


def _birth(random: Random, today: date) -> dict[str, Any]:
    age = min(int(random.expovariate(1 / 24)), OLDEST)
    known = random.random() < 0.7  # noqa: PLR2004  # of the others only the year is known
    day = date(today.year - age - 1, random.randint(1, 12), random.randint(1, 28))
    return {
        "date_of_birth": day if known else None,
        "estimated_birth_year": None if known else day.year,
    }


def _contact(random: Random, number: int) -> dict[str, Any]:
    kin, _ = words.name(random)
    return {
        "phone_number": words.phone(random),
        "email": f"person{number}@example.org" if random.random() < 0.3 else None,  # noqa: PLR2004  # three in ten
        "emergency_contact_name": kin,
        "emergency_contact_phone": words.phone(random),
        "emergency_contact_relationship": random.choice(words.KIN),
    }


def _summary(random: Random) -> dict[str, Any]:
    return {
        "dietary_restrictions": random.sample(words.DIETS, random.randint(0, 1)),
        "blood_type": random.choice(words.BLOOD),
        "allergies": json.dumps(random.sample(words.ALLERGENS, random.randint(0, 2))),
        "chronic_conditions": json.dumps(random.sample(words.CONDITIONS, random.randint(0, 1))),
        "current_medications": json.dumps(random.sample(words.DRUGS, random.randint(0, 2))),
        "verification_status": random.choices(
            ("unverified", "pending", "verified", "expired"), (25, 10, 60, 5)
        )[0],
        "data_sharing_consent": json.dumps({"clinics": random.random() < 0.8}),  # noqa: PLR2004  # most agree
    }


def grant(random: Random, seed: int, patient: Row) -> Row:
    """Draw a grant of a patient to another organization."""
    giver = patient["managing_organization"]
    others = [item for item in organizations(seed) if item != giver]
    return {
        "patient_id": patient["id"],
        "organization_id": random.choice(others),
        "can_write": random.random() < 0.3,  # noqa: PLR2004  # most may only read
        "granted_at": patient["created_at"],
        "granted_by": random.choice(users(giver)),
        "granted_by_organization": giver,
        "purpose": "continued care",
    }
