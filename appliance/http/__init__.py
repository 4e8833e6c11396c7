"""HTTP/1.1 without I/O: what a phone asks, and what it is answered."""
