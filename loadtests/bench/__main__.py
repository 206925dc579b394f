"""`python -m loadtests.bench`, which `make bench` runs."""

import sys

from loadtests.bench.http_bench import main

if __name__ == "__main__":
    sys.exit(main())
