"""The Unix sockets: lines by rows, server and client each against a plain counterpart."""
