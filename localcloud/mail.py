"""The post of the local cloud: messages as files (RFC 5322) in a maildir of the data directory."""

from __future__ import annotations

import mailbox
import shutil
import threading
import uuid
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from localcloud.clock import Clock

_SENDER, _HOST = "no-reply", "sns.amazonaws.com"


class Post:
    """Delivers to nobody but a folder, which starts empty."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Throw away what was delivered."""
        with self._lock:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._box = mailbox.Maildir(self._folder, create=True)

    def deliver(self, recipient: str, sender: str, subject: str, body: str, topic: str) -> None:
        """Put one message into the folder; ``sender`` is a name to display."""
        message = EmailMessage()
        message["From"] = Address(sender, _SENDER, _HOST)
        message["To"] = recipient
        message["Subject"] = subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{uuid.uuid4()}@{_HOST}>"
        message["X-Topic-Arn"] = topic
        message.set_content(body)
        with self._lock:
            self._box.add(message.as_bytes())
