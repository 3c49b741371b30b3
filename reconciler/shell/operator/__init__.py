"""The operator as a process: what is seen of it from outside."""
