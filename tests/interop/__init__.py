"""The proxy against the clients and servers that people use."""
