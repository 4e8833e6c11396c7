"""The rows of `appliance.tftp`, and its two sides joined by a link that loses, doubles and reorders."""
