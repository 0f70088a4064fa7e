"""``python -m web.cli`` is ``kaibiao``."""

from web.cli import main

main()
