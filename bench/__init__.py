"""Measures the budgets: `./dev bench`, or `python -m bench`. No part of the product, and nothing that tests rely on."""
