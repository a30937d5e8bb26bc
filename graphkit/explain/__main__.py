"""`python -m graphkit.explain run=runs/FOLDER node=17`."""

import sys

from graphkit.explain.door import main

if __name__ == "__main__":
    sys.exit(main())
