"""What is searched for, in every spelling that programs give it, and where it was found."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

# Shorter ones would be found by chance, and would not cover an aligned block.
BLOCK = 8
SHORTEST = 2 * BLOCK


@dataclass(frozen=True, slots=True)
class Planted:
    """A secret by its name. Any of its pieces alone counts as a hit; no text shows one."""

    name: str
    pieces: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what chance would find."""
        if not self.pieces or min(len(piece) for piece in self.pieces) < SHORTEST:
            raise ValueError(f"{self.name} is too short to be searched for")


def whole(name: str, text: str) -> Planted:
    """Plant a text that is secret as a whole, such as a password."""
    return Planted(name, (text.encode(),))


def verifier(name: str, text: str) -> Planted:
    """Plant a SCRAM verifier: the two keys in it, either of which is enough for an attack."""
    return Planted(name, tuple(key.encode() for key in text.rpartition("$")[2].split(":")))


def private_key(name: str, pem: str) -> Planted:
    """Plant a private key: the lines of its PEM that hold secret bytes, and the bytes."""
    lines = [line for line in pem.splitlines() if not line.startswith("-----")]
    secret = base64.b64decode("".join(lines))[36:68]
    return Planted(name, (lines[0].encode(), lines[1].encode(), secret))


def spellings(piece: bytes) -> frozenset[bytes]:
    """Return a piece as it may be written: as it is, escaped, quoted, in base64, in hex."""
    text = piece.decode("utf-8", "backslashreplace")
    in_json = json.dumps(text)[1:-1]
    texts = {
        text,
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
        in_json,
        json.dumps(in_json)[1:-1],
        repr(text)[1:-1],
        # Where the text around it holds both sorts of quotes.
        repr(f"{text}'\"")[1:-4],
        text.replace("'", "''"),
        piece.hex(),
    }
    return frozenset({piece, *(item.encode() for item in texts), *_in_base64(piece)})


def _in_base64(piece: bytes) -> set[bytes]:
    """Return what all base64 texts have in common that hold the piece at some offset."""
    found = set()
    for offset in range(3):
        padded = bytes(offset) + piece
        # The first and last characters also depend on what stands around the piece.
        inner = base64.b64encode(padded)[-(-offset * 8 // 6) : len(padded) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def hits(secrets: Iterable[Planted], sinks: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return each secret and sink that holds it, by their names only."""
    by_spelling = {
        spelling: secret.name
        for secret in secrets
        for piece in secret.pieces
        for spelling in spellings(piece)
    }
    found = set()
    for sink, content in sinks.items():
        for text in (content, _joined(content)):
            near = _near(by_spelling, text)
            found |= {(by_spelling[spelling], sink) for spelling in near if spelling in text}
    return sorted(found)


def _near(spellings: Iterable[bytes], text: bytes) -> set[bytes]:
    """Return the few that may be in a text: wherever one lies, it covers an aligned block."""
    blocks = {text[start : start + BLOCK] for start in range(0, len(text), BLOCK)}
    return {
        spelling
        for spelling in spellings
        if not blocks.isdisjoint(spelling[start : start + BLOCK] for start in range(BLOCK))
    }


def _joined(content: bytes) -> bytes:
    """Return a text without what breaks a long word: ends of lines, escaped ones too."""
    return re.sub(rb"(?:\\+n|\s)+", b"", content)
