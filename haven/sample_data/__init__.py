"""Generated people and their data, plainly synthetic, the same for the same seed.

Nothing here can be taken for somebody: names are strings of syllables, telephone numbers are
of the ranges kept for fiction, mail goes to example.org, registration numbers start with TEST,
and "encrypted" content is random bytes.
"""

from __future__ import annotations

from haven.sample_data.rows import Table
from haven.sample_data.sets import first_patient, generate, mark, marked_until

__all__ = ["Table", "first_patient", "generate", "mark", "marked_until"]
