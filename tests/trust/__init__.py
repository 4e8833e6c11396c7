"""The rows of `appliance.trust`; what comes from elsewhere stands in tests/vectors/trust."""
