"""The real proxy as a process on loopback addresses, under everything that strangers send."""
