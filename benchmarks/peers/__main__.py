"""`python -m benchmarks.peers`: see `benchmarks/rivals.py`."""

import sys

from benchmarks.rivals import main

sys.exit(main(sys.argv[1:]))
