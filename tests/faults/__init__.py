"""The fault suite: operators that are killed, paused, cut off, lied to and fought with, and what has to hold all the same."""
