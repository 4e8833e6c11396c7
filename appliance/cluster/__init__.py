"""Remote clusters: whom to ask, how, and whose answer counts."""
