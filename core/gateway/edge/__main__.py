"""The edge client without the rest of the program: `python -m core.gateway.edge`."""

import sys

from core.gateway.edge.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
