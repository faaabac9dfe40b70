"""One folder per Kedro pipeline: `pipeline.py` says what flows where, `nodes.py` calls the libraries."""
