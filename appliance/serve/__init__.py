"""The gevent shell: listeners, transfers, HTTP connections."""
