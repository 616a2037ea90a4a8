"""The ingest steps: query, select, fetch, register. Airflow tasks and the command line call these."""
