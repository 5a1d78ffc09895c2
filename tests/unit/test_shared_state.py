"""What steps share while they run at the same time: read whole, whatever others add meanwhile."""

import sys
import threading

from flows.provision import _outputs
from haven.stack.resource import Found
from haven.stack.topic import Topic
from tasks.site import Vault

ADDED = 20_000
TOPIC = Topic(name="t", region="us-east-1", key="", policy="{}", emails=())


def beside(work):
    """Run ``work`` in a thread that gets its turn as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    other = threading.Thread(target=work)
    other.start()
    try:
        while other.is_alive():
            yield
    finally:
        other.join()
        sys.setswitchinterval(interval)


def test_outputs_are_read_while_other_steps_add_theirs():
    found = Found(TOPIC, "arn", {"arn": "arn"})
    observed = {}

    def add():
        for number in range(ADDED):
            observed[str(number)] = found

    seen = [len(_outputs(observed)) for _ in beside(add)]
    assert sorted(seen) == seen
    assert len(observed) == ADDED


def test_a_secret_is_read_or_not_there_while_others_forget():
    vault = Vault()

    def forget():
        for _ in range(ADDED):
            vault.keep({"a": {"username": "u"}})
            vault.forget()

    seen = [vault.get(["a"]) for _ in beside(forget)]
    assert all(item in ({}, {"a": {"username": "u"}}) for item in seen)
    assert vault.get(["a"]) == {}
