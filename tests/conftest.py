"""What all tests share."""

import os

# Programs that tests start import what is installed, not what lies where they run. (The
# option -P does the same, but Python 3.10 does not know it.)
os.environ["PYTHONSAFEPATH"] = "1"
