"""The experiments behind the command line: each one trains, measures and draws."""
