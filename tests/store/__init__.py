"""The local store, on a disk made for each test."""
