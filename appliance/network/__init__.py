"""Links and addresses of this machine."""
