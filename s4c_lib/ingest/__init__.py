"""The steps of an ingest, from search to statistics of parcels. Airflow tasks and the command line call these."""
