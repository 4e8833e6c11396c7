"""The protocol of the Unix sockets, its server and its client."""
