"""The commands as an administrator calls them; those that ask a proxy ask a real one."""
