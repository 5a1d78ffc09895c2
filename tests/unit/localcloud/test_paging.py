"""A page is what a limit and a token ask for, whatever lists an answer has."""

import pytest

from localcloud.corrections.paging import cut

ONE = {
    "input_token": "Marker",
    "output_token": "NextMarker",
    "limit_key": "Limit",
    "more_results": "Truncated",
    "result_key": "Aliases",
}
TWO = {
    "input_token": "NextToken",
    "output_token": "NextToken",
    "limit_key": "MaxRecords",
    "result_key": ["Metric", "Composite", "Log"],
}


@pytest.mark.parametrize(
    ("model", "whole", "limit", "token", "page"),
    [
        (ONE, {"Aliases": [1, 2, 3]}, None, None, {"Aliases": [1, 2, 3]}),
        (ONE, {"Aliases": [1, 2, 3]}, 3, None, {"Aliases": [1, 2, 3]}),
        (
            ONE,
            {"Aliases": [1, 2, 3], "Truncated": False},
            "2",
            None,
            {"Aliases": [1, 2], "NextMarker": "2", "Truncated": True},
        ),
        (
            ONE,
            {"Aliases": [1, 2, 3], "Truncated": False},
            2,
            "2",
            {"Aliases": [3], "Truncated": False},
        ),
        (
            TWO,
            {"Metric": ["a", "b"], "Composite": ["c"]},
            2,
            None,
            {"Metric": ["a", "b"], "Composite": [], "NextToken": "2"},
        ),
        (
            TWO,
            {"Metric": ["a", "b"], "Composite": ["c"]},
            2,
            "2",
            {"Metric": [], "Composite": ["c"]},
        ),
        (TWO, {"Metric": iter(["a", "b"])}, 1, "1", {"Metric": ["b"]}),
    ],
)
def test_a_page(model, whole, limit, token, page):
    assert cut(whole, model, limit, token) == page
