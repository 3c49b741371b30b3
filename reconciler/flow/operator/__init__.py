"""The operator: the loop that runs without a person. It follows a repository, applies it, watches what it applied, repairs, and tells."""
