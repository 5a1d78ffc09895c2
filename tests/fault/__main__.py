"""Run one sweep."""

import sys

from tests.fault.runner import main

if __name__ == "__main__":
    sys.exit(main())
