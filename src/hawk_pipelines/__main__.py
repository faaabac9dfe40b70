"""`python -m hawk_pipelines` is the `hawk` command."""

from hawk_pipelines.cli import main

main()
