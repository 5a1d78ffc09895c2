"""Parameters on the command line: what is refused, with which words."""

import pytest
from pydantic import BaseModel, ConfigDict

from haven.cli.operations import operation, parameters_of
from haven.errors import InvalidRequest


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool = False
    number: int = 0
    text: str = ""
    many: list[str] = []


BAD = [
    (["number"], "not of the form key=value"),
    (["=1"], "not of the form key=value"),
    (["nmber=1"], "nmber: Extra inputs are not permitted"),
    (["number=many"], "number"),
    (["dry_run=perhaps"], "dry_run"),
    (["number=1.5"], "number"),
    (["number=" + "[" * 5000], "number"),
    (["number=" + "9" * 5000], "number"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_a_bad_parameter_is_refused_with_its_name_and_the_known_ones(given, words):
    with pytest.raises(InvalidRequest) as caught:
        parameters_of(Model, given)
    assert words in str(caught.value)
    assert "Known parameters: dry_run, number, text, many" in str(caught.value)


def test_values_are_read_and_a_repeated_key_makes_a_list():
    read = parameters_of(Model, ["number=3", "text=a=b", "many=x", "many=y"], dry_run=True)
    assert read == Model(dry_run=True, number=3, text="a=b", many=["x", "y"])


def test_an_unknown_operation_is_refused_with_the_known_ones():
    with pytest.raises(
        InvalidRequest,
        match="Known operations: adopt, check-heartbeat, destroy, diagnose, housekeeping",
    ):
        operation("provison")
