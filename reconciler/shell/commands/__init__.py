"""Commands, one a module, each with a function `command`."""
