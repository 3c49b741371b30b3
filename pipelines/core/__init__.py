"""What builds decide, as pure functions: no input, output, clock or client library."""
