"""Remote clusters: the pure rules by rows, the asking against small servers on loopback."""
