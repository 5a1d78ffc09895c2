"""The chain of records: what breaks it is found."""

import json

import pytest

from haven import evidence

RECORD = {
    "operation": "provision",
    "stack": "x-test",
    "outcome": "succeeded",
    "started": "a",
    "finished": "b",
    "who": "someone",
    "figures": {"steps": 3},
    "changes": ["create key"],
}


def chain(length):
    previous, bodies = evidence.FIRST, []
    for sequence in range(1, length + 1):
        sealed = evidence.seal(RECORD, sequence, previous)
        bodies.append(sealed.body)
        previous = sealed.digest
    return bodies


def test_a_whole_chain_has_no_break():
    assert evidence.broken_links(chain(5)) == []


DAMAGE = {
    "first lost": lambda bodies: bodies[1:],
    "one lost": lambda bodies: [bodies[0], *bodies[2:]],
    "swapped": lambda bodies: [bodies[1], bodies[0], *bodies[2:]],
    "altered": lambda bodies: [bodies[0].replace(b"someone", b"nobody"), *bodies[1:]],
    "doubled": lambda bodies: [*bodies[:2], bodies[1], *bodies[2:]],
    "forged": lambda bodies: [
        bodies[0],
        evidence.seal(RECORD, 2, evidence.FIRST).body,
        *bodies[2:],
    ],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_loss_reordering_and_change_are_found(kind):
    assert evidence.broken_links(DAMAGE[kind](chain(5)))


def test_keys_sort_as_their_numbers_and_give_them_back():
    keys = [evidence.key_of(number) for number in (1, 9, 10, 99999)]
    assert keys == sorted(keys)
    assert [evidence.sequence_of(key) for key in keys] == [1, 9, 10, 99999]


def test_equal_records_have_equal_bytes():
    shuffled = dict(reversed(RECORD.items()))
    assert evidence.seal(RECORD, 1, "x") == evidence.seal(shuffled, 1, "x")
    assert json.loads(evidence.seal(RECORD, 1, "x").body)["previous"] == "x"


def test_people_can_read_it():
    text = evidence.markdown(RECORD | {"error": "it broke"})
    assert "# provision: succeeded" in text
    assert "| steps | 3 |" in text
    assert "> it broke" in text


def test_the_head_knows_how_each_operation_ended_last():
    head, texts = evidence.Head(), []
    for number, (operation, outcome) in enumerate(
        (("migrate", "succeeded"), ("provision", "succeeded"), ("migrate", "Conflict")), start=1
    ):
        record = {"operation": operation, "outcome": outcome, "finished": f"day {number}"}
        sealed = evidence.seal(record, number, head.digest)
        head = evidence.followed(head, sealed)
        texts.append(sealed.body)
    assert evidence.broken_links(texts) == []
    assert head.sequence == len(texts)
    assert head.last == {
        "provision": evidence.LastRun("succeeded", "day 2", evidence.key_of(2)),
        "migrate": evidence.LastRun("Conflict", "day 3", evidence.key_of(3)),
    }
