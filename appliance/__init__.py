"""A proxy TFTP appliance for IP phones: one address that serves the files of many clusters."""

__version__ = "0.1.0"
