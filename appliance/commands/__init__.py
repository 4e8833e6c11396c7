"""The sub-commands of `appliance`, one a file."""
