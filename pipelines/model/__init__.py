"""Values of the builds: what images, layers, recipes, findings and verdicts are. Frozen; nothing here decides or does anything."""
