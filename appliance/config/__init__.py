"""The configuration: its schema, its values, and what is wrong with one."""
