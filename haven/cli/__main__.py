"""``python -m haven.cli``: the command line without its installed script."""

from haven.cli import main

main()
