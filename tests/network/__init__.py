"""Links and addresses: what this machine has, and what of it can vanish while it is looked at."""
