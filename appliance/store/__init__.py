"""The local store: the files that this box itself holds."""
