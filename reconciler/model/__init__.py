"""Values: what every other layer speaks in. No decisions, no effects."""
