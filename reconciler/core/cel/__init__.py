"""CEL, the language of policy rules: compiled, judged before it runs, and evaluated. `engine` is the binding's only door."""
