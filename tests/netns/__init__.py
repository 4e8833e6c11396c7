"""A network of namespaces, with real TFTP and HTTP clients and servers in it."""
