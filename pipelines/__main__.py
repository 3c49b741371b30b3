"""`python -m pipelines`: the `fleet` script without an installation."""

from pipelines.main import main

main()
