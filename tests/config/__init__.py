"""The configuration: from any bytes to values, or to all that is wrong with them."""
