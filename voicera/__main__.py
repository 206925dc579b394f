"""`python -m voicera`: the same as the `voicera` command."""

import sys

from core.entry import main

if __name__ == "__main__":
    sys.exit(main())
