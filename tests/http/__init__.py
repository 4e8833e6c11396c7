"""HTTP without I/O: rows of bytes, read in any pieces and written back."""
