"""Programs of others that serve this box: its clock, its remote login; and its time zone."""
