"""Tests mirror `appliance/`; `interop` needs the network that `netns` makes."""
