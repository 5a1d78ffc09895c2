"""The page about the sweeps says what their results say."""

from tests.fault.report import PAGE, page
from tests.fault.sweeps import RESULTS


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page()
    assert list(RESULTS.glob("*.json"))
