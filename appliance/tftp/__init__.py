"""TFTP without I/O and without a clock: RFC 1350, 2347, 2348, 2349, 7440."""
