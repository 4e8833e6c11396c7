"""The bench: the proxy beside other servers, measured in one run. `scripts/bench` starts it."""
