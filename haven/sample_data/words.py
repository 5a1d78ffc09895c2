"""Names made of syllables, in several scripts, and the places and words around them."""

from __future__ import annotations

from random import Random

# ruff: noqa: RUF001  # letters of other scripts are the point
# Latin, Arabic, Ethiopic, Cyrillic. Chosen to sound like nobody's name.
SYLLABLES = (
    ("za", "زا", "ዛ", "за"),
    ("qo", "قو", "ቆ", "ко"),
    ("vi", "في", "ቪ", "ви"),
    ("mu", "مو", "ሙ", "му"),
    ("xe", "خي", "ኼ", "хе"),
    ("lo", "لو", "ሎ", "ло"),
    ("ti", "تي", "ቲ", "ти"),
    ("ra", "را", "ራ", "ра"),
    ("bu", "بو", "ቡ", "бу"),
    ("ne", "ني", "ኔ", "не"),
)
SCRIPTS = (("ar", 1), ("am", 2), ("uk", 3))
COUNTRIES = (
    ("SY", "ar", 30),
    ("UA", "uk", 20),
    ("AF", "fa", 15),
    ("SS", "ar", 10),
    ("ET", "am", 8),
    ("VE", "es", 7),
    ("MM", "my", 6),
    ("CD", "fr", 4),
)
STATUSES = (
    ("refugee", 55),
    ("asylum_seeker", 20),
    ("internally_displaced", 12),
    ("returnee", 6),
    ("stateless", 5),
    ("other", 2),
)
CAMPS = ("Camp Alder", "Camp Birch", "Camp Cedar", "Camp Dogwood", None)
KIN = ("parent", "sibling", "spouse", "child", "friend")
BLOOD = ("A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-", None)
ALLERGENS = ("penicillin", "peanut", "latex", "dust", "ibuprofen")
CONDITIONS = ("asthma", "diabetes type 2", "hypertension", "epilepsy", "anaemia")
DRUGS = ("metformin 500 mg", "salbutamol 100 ug", "amlodipine 5 mg", "ferrous sulfate 200 mg")
DIETS = ("no pork", "vegetarian", "no gluten", "halal", "kosher")


def name(random: Random) -> tuple[str, dict[str, str]]:
    """Draw a name; return it in Latin script and in the others by language."""
    parts = random.choices(SYLLABLES, k=random.randint(3, 4))
    latin = "".join(part[0] for part in parts).capitalize()
    others = {language: "".join(part[at] for part in parts) for language, at in SCRIPTS}
    return latin, others


def phone(random: Random) -> str:
    """Draw a number of a range kept for fiction, in the United States or the United Kingdom."""
    if random.random() < 0.5:  # noqa: PLR2004  # half of each
        return f"+1202555{random.randint(100, 199):04d}"
    return f"+447700900{random.randint(0, 999):03d}"


def weighted(random: Random, choices: tuple[tuple[str, int], ...]) -> str:
    """Draw by weight."""
    return random.choices([item for item, _ in choices], [weight for _, weight in choices])[0]
