"""`python -m voicera.testing …` is `voicera …`, as patient as an application under test."""

import sys

from core.entry import main
from voicera.testing.patience import patient

if __name__ == "__main__":
    with patient():
        sys.exit(main())
