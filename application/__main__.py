"""`python -m application` is the command `download-lambda`."""

import sys

from application.cli import main

sys.exit(main())
