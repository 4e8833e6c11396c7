"""The services of the box: what is rendered, what is kept running, and real daemons in namespaces."""
