"""`python -m appliance` is `appliance`."""

import sys

from appliance.commands.main import main

sys.exit(main())
