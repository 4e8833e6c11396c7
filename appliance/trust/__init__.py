"""Trust lists and signed files of Cisco phones, without I/O and without a clock."""
